//! An identity as files that servers, clients and clouds can load.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::pick;
use crate::file::{self, Secrecy};
use crate::{Error, Identity, PfxEncryption};

/// A way to write an identity down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `STEM.pem` (chain), `STEM.key` (PKCS#8) and `STEM.both.pem` (chain and key, as HAProxy wants it).
    Pem,
    /// `STEM.pfx`, encrypted with AES-256.
    Pfx,
    /// `STEM.legacy.pfx`, encrypted with RC2 and 3DES.
    PfxLegacy,
    /// `STEM.der`, the leaf alone.
    Der,
}

impl Format {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Pem, Self::Pfx, Self::PfxLegacy, Self::Der];

    /// The name that users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Pfx => "pfx",
            Self::PfxLegacy => "pfx-legacy",
            Self::Der => "der",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        pick("format", word, Self::ALL, Self::as_str)
    }
}

/// Writes `what` into `dir`, one `stem` for all files, and returns their paths. The password is for PFX only.
///
/// Files that hold a key are readable by their owner alone. Files that were there are replaced, each at once.
pub fn write(
    dir: &Path,
    what: &Identity,
    stem: &str,
    formats: &[Format],
    password: &str,
) -> Result<Vec<PathBuf>, Error> {
    if Path::new(stem).file_name() != Some(stem.as_ref()) {
        return Err(Error::Stem(stem.to_owned()));
    }
    file::create_folder(dir)?;
    let mut paths = Vec::new();
    for format in formats {
        for (suffix, content, secrecy) in files(what, *format, password)? {
            let path = dir.join(format!("{stem}.{suffix}"));
            file::replace(&path, &content, secrecy)?;
            paths.push(path);
        }
    }
    Ok(paths)
}

type Content = (&'static str, Vec<u8>, Secrecy);

fn files(what: &Identity, format: Format, password: &str) -> Result<Vec<Content>, Error> {
    Ok(match format {
        Format::Pem => {
            let (chain, key) = (what.chain_pem(), what.key_pem());
            let both = format!("{chain}{key}");
            vec![
                ("pem", chain.into(), Secrecy::Public),
                ("key", key.into(), Secrecy::Private),
                ("both.pem", both.into(), Secrecy::Private),
            ]
        }
        Format::Pfx => vec![("pfx", what.pfx(password, PfxEncryption::Modern)?, Secrecy::Private)],
        Format::PfxLegacy => {
            vec![("legacy.pfx", what.pfx(password, PfxEncryption::Legacy)?, Secrecy::Private)]
        }
        Format::Der => vec![("der", what.leaf_der().to_vec(), Secrecy::Public)],
    })
}
