//! Loads models behind a service: `http://...` or `https://...`.

mod oracle;
mod start;

use std::path::Path;
use std::sync::Arc;

use aeva_attack::InputSpec;
use aeva_endpoint::{Endpoint, EndpointError, Pixels};
use ndarray::Array4;

use self::oracle::{EndpointOracle, shape};
use self::start::Start;
use super::error::LoadError;
use super::fingerprint::fingerprint;
use super::kind::Kind;
use super::known::KnownAnswers;
use super::loaded::{Identity, LoadedModel, RawRuns, batch_rows};
use super::preprocessing::understand;
use super::probes::Probes;
use super::questions::{Answers, Questions};
use super::request::{Request, Stated};
use super::sight;
use crate::digest::sha256_hex;
use crate::input::InputWriter;
use crate::{Dataset, Device, Layout, Preprocessing, ValueRange};

/// The kind of model that is a service.
pub(super) struct Service;

/// How often an image is asked about: once, and more often where answers differ, up to the last.
const ASKS: [usize; 3] = [1, 3, 5];

impl Kind for Service {
    fn takes(&self, model: &Path) -> bool {
        model.to_str().is_some_and(|name| name.starts_with("http://") || name.starts_with("https://"))
    }

    fn load(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        let Some(service) = &request.stated.service else { return Err(LoadError::NoProtocol) };
        refuse_options(request)?;
        let url = request.model.to_string_lossy();
        let endpoint = Endpoint::connect(&url, service.options.clone())?;
        let pixels = endpoint.pixels();
        let (preprocessing, is_stated, layout) = match pixels {
            Pixels::Numbers => {
                let (preprocessing, is_stated) = preprocessing(request.stated);
                (preprocessing, is_stated, request.stated.layout.unwrap_or(Layout::Nhwc))
            }
            Pixels::Bytes | Pixels::Jpeg => of_bytes(request.stated)?,
        };
        let image = data.image_shape();
        let [height, width, channels] = image;
        let writer = InputWriter::new(image, layout, &preprocessing)?;
        let first = data.images.as_slice().unwrap_or_default().get(..height * width * channels).unwrap_or_default();
        let mut values = vec![0.0_f32; first.len()];
        writer.write(first, &mut values);
        let classes = endpoint.classes(shape(image, layout, 1), &values)?;
        let spec = InputSpec { height, width, channels, classes };
        let oracle = EndpointOracle::new(endpoint, spec, layout, writer);
        let mut oracles: Vec<EndpointOracle> = (1..service.connections.max(1)).map(|_| oracle.another()).collect();
        oracles.push(oracle);

        let start = Arc::new(Start::new(service.known.clone()));
        for oracle in &mut oracles {
            oracle.set_start(Some(Arc::clone(&start)));
        }
        let name = name_of(&url);
        let named = Request { model: Path::new(&name), ..*request };
        let mut questions = Questions::new(&named, &mut oracles, data)?;
        questions.queries += 1;
        let mut understanding = understand(&mut questions, &preprocessing, is_stated)?;
        questions.check_chance(&understanding.answers)?;
        let asks = settle_asks(&mut questions, &mut understanding.answers)?;
        let fingerprint = fingerprint(&mut questions)?;
        let sight = sight::measure(&mut questions, &understanding.answers.labels, pixels != Pixels::Numbers)?;
        let queries = questions.queries;
        for oracle in &mut oracles {
            oracle.set_start(None);
        }
        // Of a service that answers the same image differently, each start has to see how differently.
        let known = if asks > 1 { KnownAnswers::default() } else { start.all() };
        let per_second = start.images_per_second(oracles.len()).unwrap_or(understanding.queries_per_second);
        let answers = understanding.answers;

        let protocol = service.options.protocol;
        let mut notes = vec![format!(
            "the model is known by its answers alone: a service gave them ({url}, {protocol}), which may answer for another model next time"
        )];
        notes.extend(oracles[0].endpoint().about().map(|about| format!("the service says that the model is {about}")));
        if asks > 1 {
            notes.push(format!(
                "the service answers the same image differently: each is asked about {asks} times, and the most frequent label counts; whether the model changes during the scan cannot be seen"
            ));
        } else {
            let probes = Probes::new(fingerprint.images, &fingerprint.labels);
            for (number, oracle) in oracles.iter_mut().enumerate() {
                oracle.set_probes(probes.from(number * CONNECTION_STEP));
            }
        }
        match pixels {
            Pixels::Numbers => {}
            Pixels::Bytes => notes.push("the service takes pixels of 8 bits".to_owned()),
            Pixels::Jpeg => notes.push(
                "the service takes pictures that are compressed with loss (JPEG): weak patterns may be lost on the way"
                    .to_owned(),
            ),
        }
        notes.extend(sight.notes());
        // There is no file to take the digest of. The address is not a part of it: a service may move.
        let identity = format!("service\n{}\n{}", fingerprint.sha256, answers.sha256());
        let of_template =
            service.options.template.as_ref().map(aeva_endpoint::Template::names).filter(|names| !names.is_empty());
        let rows = batch_rows(oracles[0].run_sizes());
        Ok(LoadedModel {
            reference: None,
            spec,
            class_names: of_template.map(<[String]>::to_vec),
            answers: answers.sha256(),
            correct: answers.correct,
            queries,
            queries_per_second: per_second / asks as f64,
            known,
            preprocessing: understanding.source,
            notes,
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
            batch_rows: rows,
            device: Device::Cpu,
            sees_small_changes: pixels == Pixels::Numbers && !sight.rounds,
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

/// Probes of two connections are so far apart.
const CONNECTION_STEP: usize = 17;

/// Asks about images as often as it takes to get the same labels again; returns how often. The answers become those.
fn settle_asks(questions: &mut Questions<'_, EndpointOracle>, answers: &mut Answers) -> Result<usize, LoadError> {
    let mut last = ASKS[0];
    for asks in ASKS {
        if asks > 1 {
            questions.oracles.iter_mut().for_each(|oracle| oracle.set_asks(asks));
            *answers = questions.all()?.0;
        }
        last = asks;
        match questions.check_repeats(answers) {
            Err(LoadError::Nonconforming { broken, .. }) => tracing::info!("asked {asks} times: {broken}"),
            checked => return checked.map(|()| asks),
        }
    }
    Err(LoadError::Wobbles { model: questions.model().to_owned(), asks: last })
}

/// How images become pixels of 8 bits. What a user states about numbers has no place there.
fn of_bytes(stated: &Stated) -> Result<(Preprocessing, bool, Layout), LoadError> {
    let options = [
        ("--value-range", stated.value_range.is_some()),
        ("--mean", stated.mean.is_some()),
        ("--std", stated.std.is_some()),
        ("--layout nchw", stated.layout == Some(Layout::Nchw)),
    ];
    if let Some((option, _)) = options.into_iter().find(|(_, stated)| *stated) {
        return Err(LoadError::NotForPictures { option });
    }
    let preprocessing = Preprocessing {
        value_range: ValueRange::BYTES,
        reverse_channels: stated.reverse_channels,
        ..Preprocessing::default()
    };
    Ok((preprocessing, true, Layout::Nhwc))
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
