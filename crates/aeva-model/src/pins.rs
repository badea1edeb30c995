//! The packages of ONNX Runtime that `aeva setup` installs, and the libraries in them, each by its SHA-256.
//!
//! The digests are those of the published wheels (`pip download --no-deps PACKAGE==VERSION --platform PLATFORM`) and of the files under
//! `onnxruntime/capi/` in them.

use crate::Build;

/// A wheel that can be installed. Its libraries depend on the platform only, not on the version of Python.
#[derive(Debug)]
pub struct Wheel {
    /// The build that it contains.
    pub build: Build,
    /// Operating system, as in `std::env::consts::OS`.
    pub os: &'static str,
    /// Processor, as in `std::env::consts::ARCH`.
    pub arch: &'static str,
    /// Name of the package.
    pub package: &'static str,
    /// Platform, as pip names it.
    pub platform: &'static str,
    /// SHA-256 of the wheel, lower-case hexadecimal.
    pub sha256: &'static str,
    /// The libraries that are installed. The first one is ONNX Runtime itself.
    pub libraries: &'static [Library],
}

/// A library in a wheel.
#[derive(Debug)]
pub struct Library {
    /// Its name in the folder `onnxruntime/capi` of the wheel.
    pub name_in_wheel: &'static str,
    /// Its name once it is installed. The main library loses its version.
    pub name: &'static str,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// All known wheels.
pub fn wheels() -> &'static [Wheel] {
    &WHEELS
}

/// The wheel of a build for this machine.
pub(crate) fn wheel_for_this_machine(build: Build) -> Option<&'static Wheel> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    WHEELS.iter().find(|wheel| wheel.build == build && (wheel.os, wheel.arch) == (os, arch))
}

const fn library(name_in_wheel: &'static str, name: &'static str, sha256: &'static str) -> Library {
    Library { name_in_wheel, name, sha256 }
}

static WHEELS: [Wheel; 7] = [
    Wheel {
        build: Build::Cpu,
        os: "linux",
        arch: "x86_64",
        package: "onnxruntime",
        platform: "manylinux_2_28_x86_64",
        sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
        libraries: &[
            library(
                "libonnxruntime.so.1.31.1",
                "libonnxruntime.so",
                "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
            ),
            library(
                "libonnxruntime_providers_shared.so",
                "libonnxruntime_providers_shared.so",
                "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d",
            ),
        ],
    },
    Wheel {
        build: Build::Cpu,
        os: "linux",
        arch: "aarch64",
        package: "onnxruntime",
        platform: "manylinux_2_28_aarch64",
        sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
        libraries: &[
            library(
                "libonnxruntime.so.1.31.1",
                "libonnxruntime.so",
                "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
            ),
            library(
                "libonnxruntime_providers_shared.so",
                "libonnxruntime_providers_shared.so",
                "3b6be288fbfb7dff8770d08a23defdde18e8f7e0f5a2b344a0e5e238c999ea88",
            ),
        ],
    },
    Wheel {
        build: Build::Cpu,
        os: "macos",
        arch: "aarch64",
        package: "onnxruntime",
        platform: "macosx_14_0_arm64",
        sha256: "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
        libraries: &[library(
            "libonnxruntime.1.31.1.dylib",
            "libonnxruntime.dylib",
            "d586cbe89effc085a09d3341b3cfbd5c322517f9d397aeb20814af21433f2b36",
        )],
    },
    Wheel {
        build: Build::Cpu,
        os: "windows",
        arch: "x86_64",
        package: "onnxruntime",
        platform: "win_amd64",
        sha256: "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130",
        libraries: &[
            library(
                "onnxruntime.dll",
                "onnxruntime.dll",
                "e45f61e50d8650885452be538a00bb14a715e46a1bc3691000ce947e89ed0306",
            ),
            library(
                "onnxruntime_providers_shared.dll",
                "onnxruntime_providers_shared.dll",
                "02b3edadc03a2bddd90bcbd090733a2c458f4aff8be2cebb6070428e81c6d41e",
            ),
        ],
    },
    Wheel {
        build: Build::Cuda,
        os: "linux",
        arch: "x86_64",
        package: "onnxruntime-gpu",
        platform: "manylinux_2_28_x86_64",
        sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
        libraries: &[
            library(
                "libonnxruntime.so.1.31.1",
                "libonnxruntime.so",
                "5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303",
            ),
            library(
                "libonnxruntime_providers_cuda.so",
                "libonnxruntime_providers_cuda.so",
                "8387867e857499e045caff5d13ac6a5de29571c801562fa2dde0e45f1f31de52",
            ),
            library(
                "libonnxruntime_providers_shared.so",
                "libonnxruntime_providers_shared.so",
                "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d",
            ),
            library(
                "libonnxruntime_providers_tensorrt.so",
                "libonnxruntime_providers_tensorrt.so",
                "1882ee49fdb0e6fc2d272b00cfaf9a3310bf8580a34385c0eec4d82014ea172e",
            ),
        ],
    },
    // On Windows the package needs another one with OpenVINO itself; on Linux it is in it.
    Wheel {
        build: Build::OpenVino,
        os: "linux",
        arch: "x86_64",
        package: "onnxruntime-openvino",
        platform: "manylinux_2_28_x86_64",
        sha256: "d617fac2f59a6ab5ea59a788c3e1592240a129642519aaeaa774761dfe35150e",
        libraries: &[
            library(
                "libonnxruntime.so.1.24.1",
                "libonnxruntime.so",
                "c7b0590c7825f7029ba17e20a5dea27f7f570d8241d60584caacd363648aa8e2",
            ),
            library(
                "libonnxruntime_providers_openvino.so",
                "libonnxruntime_providers_openvino.so",
                "b19cae6eb713f35427a8427f141ffc8fc2471ae0532f57e52d84fa9a66799c30",
            ),
            library(
                "libonnxruntime_providers_shared.so",
                "libonnxruntime_providers_shared.so",
                "5e02c1ff90e7d71365264dbb6767c00f04a8b57a96cddbc0085c61fa1393250d",
            ),
            library(
                "libopenvino.so.2541",
                "libopenvino.so.2541",
                "ac9634b715a242a61644c77bc38f17508fe73f517e418027e2410f4bee004943",
            ),
            library(
                "libopenvino_intel_cpu_plugin.so",
                "libopenvino_intel_cpu_plugin.so",
                "034df890550ae9199fe5f8608c0df8fd0fe355f303bad56bea10bae14c14c3cb",
            ),
            library(
                "libopenvino_intel_gpu_plugin.so",
                "libopenvino_intel_gpu_plugin.so",
                "5575d03f4a168b257461b83089bc2d0ae7a41ebc1b5ab6b591d26f09c4a3635e",
            ),
            library(
                "libopenvino_intel_npu_plugin.so",
                "libopenvino_intel_npu_plugin.so",
                "5fad291a5cce9b0b5a7d73317ffcb811f6f93f029ce23eb679e9b6b3da88a1ae",
            ),
            library(
                "libopenvino_onnx_frontend.so.2541",
                "libopenvino_onnx_frontend.so.2541",
                "f426710881d8c1a01d5ed6d7eaa076d923b19983d3ab3a18bb19d25dba7d8923",
            ),
            library("libtbb.so.12", "libtbb.so.12", "6781dc6aa8b2ca237d0164258e70266a44667756c02a9a039782ec1d1a67b653"),
        ],
    },
    Wheel {
        build: Build::DirectMl,
        os: "windows",
        arch: "x86_64",
        package: "onnxruntime-directml",
        platform: "win_amd64",
        sha256: "f2ecb68b7b7b259d2ef3112ae760149f9b5a1e7c0fbb73d539da6250a648a614",
        libraries: &[
            library(
                "onnxruntime.dll",
                "onnxruntime.dll",
                "302c69f9779d63ef4ab90316e59444c4acbaca7fe3455020d79d10bcfcb00715",
            ),
            library("DirectML.dll", "DirectML.dll", "b73972115320e906a49602f2027a3266622881b0d325ba685e0f165a9482a8d7"),
            library(
                "onnxruntime_providers_shared.dll",
                "onnxruntime_providers_shared.dll",
                "f6bbae3af4c0673b0d1e6ca8db900dc85ad959a395b69d361038ec7995cc2652",
            ),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library_file_name;

    #[test]
    fn digests_and_names_have_the_right_form() {
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for wheel in wheels() {
            assert!(is_digest(wheel.sha256), "{wheel:?}");
            assert!(wheel.libraries.iter().all(|library| is_digest(library.sha256)), "{wheel:?}");
            // Nothing is ever written outside of the folder that the libraries go to.
            assert!(wheel.libraries.iter().all(|library| !library.name.contains(['/', '\\'])), "{wheel:?}");
            let main = wheel.libraries.first().map(|library| library.name);
            if wheel.os == std::env::consts::OS {
                assert_eq!(main, Some(library_file_name()));
            }
        }
    }
}
