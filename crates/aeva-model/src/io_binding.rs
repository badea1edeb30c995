//! Batches that stay where the device finds them: inputs in host memory that it reads without a further copy (pinned), and
//! bound outputs.

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session, SessionOutputs};
use ort::value::Tensor;

use crate::Device;

/// The bound input and output of one session; other outputs are not computed.
pub(crate) struct Bound {
    binding: IoBinding,
    input: String,
    output: String,
    /// Rows of a run, and its input; allocated when a size is first used.
    inputs: Vec<(usize, Tensor<f32>)>,
    allocator: Allocator,
    host: MemoryInfo<'static>,
}

impl Bound {
    /// For the session's input and its output of this name.
    pub(crate) fn new(session: &Session, device: Device, input: &str, output: &str) -> ort::Result<Self> {
        Ok(Self {
            binding: session.create_binding()?,
            input: input.to_owned(),
            output: output.to_owned(),
            inputs: Vec::new(),
            allocator: allocator(session, device)?,
            host: MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::CPUOutput)?,
        })
    }

    /// From now on this output comes back.
    pub(crate) fn fetch(&mut self, output: &str) {
        self.binding.clear_outputs();
        output.clone_into(&mut self.output);
    }

    /// Runs `rows` rows of `shape` `[rows, ..]`, which `fill` writes, and returns the session's outputs.
    pub(crate) fn run<'a>(
        &'a mut self,
        session: &'a mut Session,
        options: &'a RunOptions,
        shape: [usize; 4],
        fill: impl FnOnce(&mut [f32]),
    ) -> ort::Result<SessionOutputs<'a>> {
        let rows = shape[0];
        let place = self.inputs.iter().position(|&(size, _)| size == rows).unwrap_or(self.inputs.len());
        if place == self.inputs.len() {
            self.inputs.push((rows, Tensor::<f32>::new(&self.allocator, shape)?));
        }
        let input = &mut self.inputs[place].1;
        fill(input.extract_tensor_mut().1);
        // The input goes to the device when it is bound, so it is bound for each run; the output, so that its memory
        // fits the number of rows.
        self.binding.bind_input(self.input.as_str(), input)?;
        self.binding.bind_output_to_device(self.output.as_str(), &self.host)?;
        let outputs = session.run_binding_with_options(&self.binding, options)?;
        Ok(outputs)
    }
}

/// Pinned memory for a device that is reached through CUDA, plain memory elsewhere.
fn allocator(session: &Session, device: Device) -> ort::Result<Allocator> {
    let Some(index) = device.cuda_index() else { return Ok(Allocator::default()) };
    let pinned = |kind| {
        MemoryInfo::new(AllocationDevice::CUDA_PINNED, i32::from(index), AllocatorType::Device, kind)
            .and_then(|info| Allocator::new(session, info))
    };
    // Versions of ONNX Runtime differ in which of the two names pinned memory.
    pinned(MemoryType::CPUInput).or_else(|_| pinned(MemoryType::CPUOutput)).or_else(|error| {
        tracing::warn!(%device, %error, "no pinned memory; batches travel more slowly");
        Ok(Allocator::default())
    })
}
