//! Loads models behind a service: `http://...` or `https://...`.

use std::path::Path;

use aeva_attack::{HardLabelOracle, InputSpec, Label, OracleError};
use aeva_endpoint::{Endpoint, EndpointError};
use ndarray::{Array4, ArrayView4};

use super::error::LoadError;
use super::fingerprint::fingerprint;
use super::kind::Kind;
use super::loaded::{Identity, LoadedModel, RawRuns};
use super::preprocessing::{Prepares, understand};
use super::questions::Questions;
use super::request::{Request, Stated};
use crate::digest::sha256_hex;
use crate::input::InputWriter;
use crate::{Dataset, Device, Layout, ModelError, Preprocessing, ValueRange};

/// The kind of model that is a service.
pub(super) struct Service;

/// A connection to a service.
struct EndpointOracle {
    endpoint: Endpoint,
    spec: InputSpec,
    layout: Layout,
    writer: InputWriter,
    values: Vec<f32>,
    rows: [usize; 1],
}

impl EndpointOracle {
    /// The shape of `images` images as the service takes them.
    fn shape(&self, images: usize) -> [usize; 4] {
        shape(self.spec.shape(), self.layout, images)
    }

    fn another(&self) -> Self {
        Self {
            endpoint: self.endpoint.another(),
            spec: self.spec,
            layout: self.layout,
            writer: self.writer.clone(),
            values: Vec::new(),
            rows: self.rows,
        }
    }
}

impl HardLabelOracle for EndpointOracle {
    fn spec(&self) -> &InputSpec {
        &self.spec
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        let standard = batch.as_standard_layout();
        let images = standard.as_slice().unwrap_or_default();
        self.values.resize(images.len(), 0.0);
        self.writer.write(images, &mut self.values);
        let shape = self.shape(batch.dim().0);
        self.endpoint.labels(shape, &self.values, self.spec.classes, labels).map_err(OracleError::new)
    }
}

impl Prepares for EndpointOracle {
    fn set_preprocessing(&mut self, preprocessing: &Preprocessing) -> Result<(), ModelError> {
        self.writer = InputWriter::new(self.spec.shape(), self.layout, preprocessing)?;
        Ok(())
    }
}

impl RawRuns for EndpointOracle {
    fn run_sizes(&self) -> &[usize] {
        &self.rows
    }
}

impl Kind for Service {
    fn takes(&self, model: &Path) -> bool {
        model.to_str().is_some_and(|name| name.starts_with("http://") || name.starts_with("https://"))
    }

    fn load(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        let Some(service) = &request.stated.service else { return Err(LoadError::NoProtocol) };
        refuse_options(request)?;
        let url = request.model.to_string_lossy();
        let layout = request.stated.layout.unwrap_or(Layout::Nhwc);
        let (preprocessing, is_stated) = preprocessing(request.stated);
        let image = data.image_shape();
        let [height, width, channels] = image;
        let writer = InputWriter::new(image, layout, &preprocessing)?;
        let endpoint = Endpoint::connect(&url, service.options.clone())?;
        let first = data.images.as_slice().unwrap_or_default().get(..height * width * channels).unwrap_or_default();
        let mut values = vec![0.0_f32; first.len()];
        writer.write(first, &mut values);
        let classes = endpoint.classes(shape(image, layout, 1), &values)?;
        let spec = InputSpec { height, width, channels, classes };
        let rows = [endpoint.rows()];
        let oracle = EndpointOracle { endpoint, spec, layout, writer, values, rows };
        let mut oracles: Vec<EndpointOracle> = (1..service.connections.max(1)).map(|_| oracle.another()).collect();
        oracles.push(oracle);

        let name = name_of(&url);
        let named = Request { model: Path::new(&name), ..*request };
        let mut questions = Questions::new(&named, &mut oracles, data)?;
        questions.queries += 1;
        let understanding = understand(&mut questions, &preprocessing, is_stated)?;
        questions.check_chance(&understanding.answers)?;
        questions.check_repeats(&understanding.answers)?;
        let fingerprint = fingerprint(&mut questions)?;
        let queries = questions.queries;
        let answers = understanding.answers;
        // There is no file to take the digest of. The address is not a part of it: a service may move.
        let identity = format!("service\n{fingerprint}\n{}", answers.sha256());
        let protocol = service.options.protocol;
        Ok(LoadedModel {
            reference: None,
            spec,
            class_names: None,
            answers: answers.sha256(),
            correct: answers.correct,
            queries,
            queries_per_second: understanding.queries_per_second,
            preprocessing: understanding.source,
            notes: vec![format!(
                "the model is known by its answers alone: a service gave them ({url}, {protocol}), which may answer for another model next time"
            )],
            identity: Identity {
                sha256: sha256_hex(identity.as_bytes()),
                classes,
                preprocessing: format!(
                    "{height}x{width}x{channels} {layout}, {}, {protocol}",
                    understanding.preprocessing
                ),
                provider: "service".to_owned(),
            },
            name,
            batch_rows: rows[0],
            device: Device::Cpu,
            oracles: oracles.into_iter().map(|oracle| Box::new(oracle) as Box<dyn RawRuns>).collect(),
        })
    }

    fn load_without_data(
        &self,
        request: &Request<'_>,
        _: &dyn Fn([usize; 3]) -> Array4<f32>,
    ) -> Result<(LoadedModel<dyn RawRuns>, Array4<f32>), LoadError> {
        Err(crate::ProgramError::NoImages { name: request.model.display().to_string() }.into())
    }

    fn load_plain(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        self.load(request, data)
    }
}

fn shape([height, width, channels]: [usize; 3], layout: Layout, images: usize) -> [usize; 4] {
    match layout {
        Layout::Nhwc => [images, height, width, channels],
        Layout::Nchw => [images, channels, height, width],
    }
}

/// What is stated about the pixels, and whether anything is.
fn preprocessing(stated: &Stated) -> (Preprocessing, bool) {
    let is_stated = stated.value_range.is_some() || stated.mean.is_some() || stated.std.is_some();
    let preprocessing = Preprocessing {
        value_range: stated.value_range.unwrap_or(ValueRange::UNIT),
        mean: stated.mean.clone().unwrap_or_default(),
        std: stated.std.clone().unwrap_or_default(),
        reverse_channels: stated.reverse_channels,
    };
    (preprocessing, is_stated)
}

/// Refuses what is about files.
fn refuse_options(request: &Request<'_>) -> Result<(), LoadError> {
    let Stated { manifest, output, threshold, .. } = request.stated;
    let stated = [
        ("--device", request.device != Device::Cpu),
        ("--manifest", manifest.is_some()),
        ("--output", output.is_some()),
        ("--threshold", threshold.is_some()),
    ];
    match stated.into_iter().find(|(_, stated)| *stated) {
        None => Ok(()),
        Some((option, _)) => Err(LoadError::NotForServices { option }),
    }
}

/// The name of the model: the last part of the address that is no verb of a protocol.
fn name_of(url: &str) -> String {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let mut parts = path.split('/').filter(|part| !part.is_empty() && !["infer", "invocations"].contains(part));
    let last = parts.next_back().unwrap_or(path);
    last.strip_suffix(":predict").unwrap_or(last).to_owned()
}

impl From<EndpointError> for LoadError {
    fn from(error: EndpointError) -> Self {
        Self::Service(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_called_as_in_its_address() {
        for (url, name) in [
            ("http://h:8080/v2/models/digits", "digits"),
            ("http://h:8080/v2/models/digits/infer", "digits"),
            ("https://h/v1/models/digits:predict", "digits"),
            ("http://127.0.0.1:5000/invocations", "127.0.0.1:5000"),
        ] {
            assert_eq!(name_of(url), name);
        }
        assert!(Service.takes(Path::new("https://h/x")) && !Service.takes(Path::new("http.onnx")));
    }
}
