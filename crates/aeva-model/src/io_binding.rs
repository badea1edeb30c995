//! Inputs and outputs that are bound to memory: a device reads inputs from pinned host memory without a further copy.

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session, SessionOutputs};
use ort::value::DynTensor;

use crate::Device;
use crate::element::{self, Element};
use crate::input::InputWriter;

/// The bound input and output of one session. Other outputs are not computed.
pub(crate) struct Bound {
    binding: IoBinding,
    input: String,
    element: Element,
    output: String,
    /// Number of rows of a run, and its input, which is allocated when the size is first used.
    inputs: Vec<(usize, DynTensor)>,
    allocator: Allocator,
    host: MemoryInfo<'static>,
}

impl Bound {
    /// Binds the session's input, of values of the type `element`, and the output of these names.
    pub(crate) fn new(
        session: &Session,
        device: Device,
        (input, element): (&str, Element),
        output: &str,
    ) -> ort::Result<Self> {
        Ok(Self {
            binding: session.create_binding()?,
            input: input.to_owned(),
            element,
            output: output.to_owned(),
            inputs: Vec::new(),
            allocator: allocator(session, device)?,
            host: MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::CPUOutput)?,
        })
    }

    /// Binds another output instead.
    pub(crate) fn fetch(&mut self, output: &str) {
        self.binding.clear_outputs();
        output.clone_into(&mut self.output);
    }

    /// Runs the session on an input of `shape` `[rows, ..]` with `images`, and returns its outputs.
    pub(crate) fn run<'a>(
        &'a mut self,
        session: &'a mut Session,
        options: &'a RunOptions,
        shape: [usize; 4],
        writer: &InputWriter,
        images: &[f32],
    ) -> ort::Result<SessionOutputs<'a>> {
        let rows = shape[0];
        let place = self.inputs.iter().position(|&(size, _)| size == rows).unwrap_or(self.inputs.len());
        if place == self.inputs.len() {
            self.inputs.push((rows, element::tensor(self.element, &self.allocator, shape)?));
        }
        let input = &mut self.inputs[place].1;
        element::write(self.element, input, writer, images)?;
        // The input is sent to the device when it is bound, so it is bound for each run. So is the output, whose memory must fit
        // the number of rows.
        self.binding.bind_input(self.input.as_str(), input)?;
        self.binding.bind_output_to_device(self.output.as_str(), &self.host)?;
        let outputs = session.run_binding_with_options(&self.binding, options)?;
        Ok(outputs)
    }
}

/// Pinned memory for a CUDA device, ordinary memory for others.
fn allocator(session: &Session, device: Device) -> ort::Result<Allocator> {
    let Some(index) = device.cuda_index() else { return Ok(Allocator::default()) };
    let pinned = |kind| {
        MemoryInfo::new(AllocationDevice::CUDA_PINNED, i32::from(index), AllocatorType::Device, kind)
            .and_then(|info| Allocator::new(session, info))
    };
    // Versions of ONNX Runtime differ in which of the two names pinned memory.
    pinned(MemoryType::CPUInput).or_else(|_| pinned(MemoryType::CPUOutput)).or_else(|error| {
        tracing::warn!(%device, %error, "no pinned memory is available, so that transfers are slower");
        Ok(Allocator::default())
    })
}
