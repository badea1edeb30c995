//! Entry points for `tests/fuzz`, which is no part of the workspace. Not for anybody else.

use crate::message::Received;
use crate::protocol::{Description, Form};
use crate::{Protocol, Template};

/// Reads the body of a response in every form.
pub fn answers(body: &[u8]) {
    let description = Description::of(body).unwrap_or_default();
    for protocol in [Protocol::KserveV2, Protocol::KserveV2Binary, Protocol::TfServing, Protocol::TorchServe] {
        let form = protocol.form(description.clone(), None);
        for head in [None, Some(0), Some(1), Some(body.len() / 2), Some(body.len()), Some(usize::MAX)] {
            check(&form, &Received { head, body: body.to_vec() });
        }
    }
    // A template, a zero byte, and the body of a response.
    let (template, body) = body.split_at(body.iter().position(|&byte| byte == 0).unwrap_or(body.len()));
    let Ok(template) = String::from_utf8_lossy(template).parse::<Template>() else { return };
    for shape in [[1, 2, 3, 1], [2, 1, 1, 3], [0, 1, 1, 1], [1, 1, 1, 2]] {
        let values = vec![0.5; shape.iter().product()];
        let _ = template.request(shape, &values);
    }
    let body = body.get(1..).unwrap_or_default().to_vec();
    check(&Form::Template(Box::new(template)), &Received { head: None, body });
}

fn check(form: &Form, received: &Received) {
    for count in 0..4 {
        let Ok(answer) = form.answer(received, count) else { continue };
        let classes = answer.classes().unwrap_or(3);
        if let Ok(labels) = answer.labels(count, classes) {
            assert_eq!(labels.len(), count, "one label for each image");
        }
    }
}
