//! Finds and loads ONNX Runtime, a dynamic library that is not linked.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use crate::library::{check_installed, check_interface};
use crate::{Build, Device, RuntimeError, TELEMETRY_OFF, TELEMETRY_SWITCH, telemetry};

const OVERRIDE: &str = "ORT_DYLIB_PATH";

/// The library of the process. It cannot be unloaded, and it allows only one environment.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// The loaded library, which loads models. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) environment: Environment,
    path: PathBuf,
}

impl Runtime {
    /// Finds the library for `device` and loads it. These places are searched in order: the file that `ORT_DYLIB_PATH` names, the folder
    /// of the executable, the Python package `onnxruntime` of the environment that the executable was installed into, the cache folder of
    /// `aeva setup`, and the system's libraries.
    ///
    /// A process has only one library. Later calls return the first one, whatever device they name.
    ///
    /// The environment must have [`TELEMETRY_SWITCH`] set to [`TELEMETRY_OFF`], because otherwise the library reports what it does as
    /// soon as it is loaded. Programs set the variable at the beginning of `main`, when no other thread can read the environment.
    ///
    /// # Errors
    /// [`RuntimeError`] names the places that were searched, or what is wrong with the library that was found.
    pub fn load(device: Device) -> Result<Self, RuntimeError> {
        if !telemetry::is_off() {
            return Err(RuntimeError::Telemetry { variable: TELEMETRY_SWITCH, value: TELEMETRY_OFF });
        }
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let runtime = Self::find(device)?;
        Ok(loaded.insert(runtime).clone())
    }

    fn find(device: Device) -> Result<Self, RuntimeError> {
        let mut searched = Vec::new();
        if let Some(path) = env::var_os(OVERRIDE).filter(|value| !value.is_empty()) {
            let path = PathBuf::from(path);
            return if path.is_file() { Self::load_from(&path) } else { Err(RuntimeError::OverrideMissing { path }) };
        }
        searched.push(format!("{OVERRIDE} (not set)"));
        for (path, build) in candidates(device) {
            if path.is_file() {
                if let (Some(build), Some(folder)) = (build, path.parent()) {
                    check_installed(build, folder)?;
                }
                return Self::load_from(&path);
            }
            searched.push(path.display().to_string());
        }
        let system = Path::new(library_file_name());
        Self::load_from(system).map_err(|_| {
            searched.push(format!("the system's {}", system.display()));
            RuntimeError::NotFound { device, searched }
        })
    }

    fn load_from(path: &Path) -> Result<Self, RuntimeError> {
        let error = |why: String| RuntimeError::Load { path: path.to_owned(), why };
        check_interface(path).map_err(error)?;
        let builder = ort::init_from(path).map_err(|source| error(source.to_string()))?;
        let environment =
            builder.with_name("aeva").with_telemetry(false).build().map_err(|source| error(source.to_string()))?;
        Ok(Self { environment, path: path.to_owned() })
    }

    /// Path of the loaded library.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Version and commit as the library states them, such as `1.31 (6af1a93)`.
    pub fn version(&self) -> String {
        // "ORT Build Info: git-branch=..., git-commit-id=6af1a93, build type=Release, ..."
        let mut parts = ort::info().split([' ', ',']);
        let commit = parts.find_map(|part| part.strip_prefix("git-commit-id=")).unwrap_or("of unknown commit");
        match ort::util::probe(&self.path) {
            Some(minor) => format!("1.{minor} ({commit})"),
            None => format!("({commit})"),
        }
    }
}

/// File name of the library on this system.
pub fn library_file_name() -> &'static str {
    if cfg!(target_os = "windows") {
        "onnxruntime.dll"
    } else if cfg!(target_os = "macos") {
        "libonnxruntime.dylib"
    } else {
        "libonnxruntime.so"
    }
}

/// The user's cache folder of this program: `AEVA_CACHE_DIR`, or `aeva` in the system's usual place. `None` if the environment
/// names neither of them.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(own) = folder("AEVA_CACHE_DIR") {
        return Some(own);
    }
    let base = if cfg!(target_os = "windows") {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library").join("Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("aeva"))
}

/// The folder that `aeva setup` installs a build into. `None` without a cache folder.
pub fn library_folder(build: Build) -> Option<PathBuf> {
    cache_folder().map(|cache| cache.join(format!("onnxruntime-{}-{}", build.version(), build.name())))
}

/// Files that may be the library, each with the build that `aeva setup` installs there, if it does.
fn candidates(device: Device) -> Vec<(PathBuf, Option<Build>)> {
    let beside = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let installed = |build: Build| library_folder(build).map(|folder| (folder, Some(build)));
    // The CUDA build runs models on the CPU as well.
    let other = (device == Device::Cpu).then(|| installed(Build::Cuda)).flatten();
    let of_package = beside.as_deref().and_then(of_package).map(|path| (path, None));
    let [beside, own, other] = [beside.map(|folder| (folder, None)), installed(device.build()), other]
        .map(|place| place.map(|(folder, build)| (folder.join(library_file_name()), build)));
    [beside, of_package, own, other].into_iter().flatten().collect()
}

/// The library of the Python package `onnxruntime`, if the program lies in the folder of scripts of an environment that has
/// the package: `aeva` is installed by pip then, and depends on it.
fn of_package(scripts: &Path) -> Option<PathBuf> {
    let prefix = scripts.parent()?;
    // `lib/python3.12/site-packages`, on Windows `Lib/site-packages`.
    let versions = fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut places: Vec<PathBuf> = versions
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3")))
        .chain([prefix.join("Lib")])
        .map(|folder| folder.join("site-packages").join("onnxruntime").join("capi"))
        .collect();
    places.sort();
    // Outside of Windows, the name has the version: `libonnxruntime.so.1.31.1`, `libonnxruntime.1.31.1.dylib`.
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let has_version = name.strip_prefix("libonnxruntime.").is_some_and(|rest| {
            rest.starts_with("so.") || Path::new(rest).extension().is_some_and(|extension| extension == "dylib")
        });
        name == library_file_name() || has_version
    };
    places.into_iter().find_map(|folder| {
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<PathBuf> = files.filter(is_library).collect();
        found.sort();
        found.into_iter().next()
    })
}

/// Makes sure that a build is installed as `aeva setup` installs it, complete and unchanged.
///
/// # Errors
/// [`RuntimeError::Digest`] and [`RuntimeError::Load`] name the library and what is wrong with it.
pub fn check_installation(build: Build) -> Result<(), RuntimeError> {
    let folder = library_folder(build).unwrap_or_default();
    check_installed(build, &folder)?;
    let main = folder.join(library_file_name());
    // On systems without a wheel there is nothing to compare with.
    if main.is_file() { Ok(()) } else { Err(RuntimeError::Load { path: main, why: "it is not there".to_owned() }) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn the_library_of_the_same_environment_is_found() {
        let prefix = tempfile::tempdir().unwrap();
        let scripts = prefix.path().join("bin");
        assert_eq!(of_package(&scripts), None);
        let folder =
            prefix.path().join("lib").join("python3.12").join("site-packages").join("onnxruntime").join("capi");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("libonnxruntime_providers_shared.so"), b"").unwrap();
        assert_eq!(of_package(&scripts), None, "that is another library");
        let library = folder.join("libonnxruntime.so.1.31.1");
        fs::write(&library, b"").unwrap();
        assert_eq!(of_package(&scripts), Some(library));
    }
}
