//! Another KEK: wrapped copies are added under it, then those under the KEKs before are destroyed.
//!
//! Order of writes, and what a crash after each leaves
//! ```text
//! add     1. tenant roots put under the new KEK   the old KEK opens all, the new one nothing
//!         2. configuration put under the new KEK  both open all
//! retire  3. other configurations deleted         only the new KEK opens
//!         4. other wrapped tenant roots deleted   no copy is left under another KEK
//! ```
//!
//! Invariants: each step can be repeated; step 3 begins only after the new KEK has opened every
//! tenant's root; packs, indexes, snapshots and unit keys are neither read nor written, so that
//! the cost is one small object a tenant.
//!
//! Out of scope: whoever kept an old KEK *and* a copy of what it wrapped has the roots still; for
//! that only preserving anew under new units helps.

use std::collections::BTreeSet;

use crate::error::VaultError;
use crate::key::{Kek, Secret};
use crate::names::{self, Tag, tag};
use crate::seal::{Kind, Place, open_whole, seal_whole};
use crate::vault::{Vault, config_place, get};
use crate::wire::Writer;
use bailee_ledger::{from_hex, to_hex};

/// What adding or retiring a KEK did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewrapReport {
    /// The KEK that opens the vault from here on, by its public id.
    pub kek: String,
    /// Tenants whose root that KEK opens; each was opened to know it.
    pub tenants: u64,
    /// Wrapped copies that were destroyed, by their objects' names.
    pub destroyed: Vec<String>,
}

impl Vault {
    /// Wraps everything the vault's own KEK wraps for `new` as well: from then on both open it.
    ///
    /// # Errors
    /// [`VaultError::SameKek`]; [`VaultError::KeyMissing`] if a tenant's root is not there under
    /// the vault's own KEK; damage; store failures. Nothing is destroyed; the same again goes on.
    pub fn add_kek(&self, new: &Kek) -> Result<RewrapReport, VaultError> {
        if new.id() == self.kek.id() {
            return Err(VaultError::SameKek);
        }
        let tenants = self.tenant_tags()?;
        for tenant in &tenants {
            let (root, name) = self.root_under(&self.kek, *tenant)?;
            let mut w = Writer::default();
            w.raw(root.expose());
            w.bytes(name.as_bytes());
            let plain = zeroize::Zeroizing::new(w.0);
            let place = self.place(Kind::TenantKey, *tenant, [0; 16], new.id());
            let object = names::tenant_key(tenant, &new.id());
            self.keys.put(&object, &seal_whole(new.secret(), &place, &plain)?)?;
            // What is read back counts: an object of this name may be there already.
            let (again, _) = self.root_under(new, *tenant)?;
            if again.expose() != root.expose() {
                return Err(VaultError::damaged(&object, "it holds another root"));
            }
        }
        let mut w = Writer::default();
        w.raw(&self.id);
        w.raw(self.naming.expose());
        let plain = zeroize::Zeroizing::new(w.0);
        let sealed = seal_whole(new.secret(), &config_place(new), &plain)?;
        self.keys.put(&names::config(&new.id()), &sealed)?;
        let other = Vault::open_with_keys(self.objects.clone(), self.keys.clone(), new)?;
        if other.id != self.id {
            let name = names::config(&new.id());
            return Err(VaultError::damaged(&name, "it is the configuration of another vault"));
        }
        Ok(report(new, tenants.len()))
    }

    /// Destroys every wrapped copy under another KEK than the vault's own, once this one has opened
    /// the root of every tenant.
    ///
    /// # Errors
    /// [`VaultError::KeyMissing`], and nothing was destroyed, if this KEK does not open a tenant's
    /// root; damage; store failures. The same again goes on.
    pub fn retire_other_keks(&self) -> Result<RewrapReport, VaultError> {
        let tenants = self.tenant_tags()?;
        for tenant in &tenants {
            self.root_under(&self.kek, *tenant)?;
        }
        let mut report = report(&self.kek, tenants.len());
        let mine = self.kek.id();
        let mut others = self.keys.list(names::KEKS)?;
        for tenant in &tenants {
            others.extend(self.keys.list(&names::tenant_keys(tenant))?);
        }
        for name in others {
            if names::last_id(&name).is_some_and(|kek| kek != mine) {
                self.keys.delete(&name)?;
                report.destroyed.push(name);
            }
        }
        Ok(report)
    }

    /// The KEKs that open this vault, by their public ids: one, and two while it changes.
    ///
    /// # Errors
    /// Store failures.
    pub fn keks(&self) -> Result<Vec<String>, VaultError> {
        let ids = self.keys.list(names::KEKS)?.into_iter().filter_map(|n| names::last_id(&n));
        Ok(ids.map(|id| to_hex(&id)).collect())
    }

    /// Every tenant that has a key or an object, whatever wraps it.
    pub(crate) fn tenant_tags(&self) -> Result<BTreeSet<Tag>, VaultError> {
        let mut tags = BTreeSet::new();
        let objects = self.objects.list(names::TENANTS)?;
        for name in objects.into_iter().chain(self.key_objects(names::TENANTS)?) {
            let tag = name.strip_prefix(names::TENANTS).and_then(|rest| rest.split('/').next());
            let tag = tag.and_then(from_hex::<16>);
            tags.insert(tag.ok_or_else(|| VaultError::damaged(&name, "it is of no tenant"))?);
        }
        Ok(tags)
    }

    /// A tenant's root and name, as `kek` wraps them.
    pub(crate) fn root_under(
        &self,
        kek: &Kek,
        tenant: Tag,
    ) -> Result<(Secret, String), VaultError> {
        let object = names::tenant_key(&tenant, &kek.id());
        let place: Place = self.place(Kind::TenantKey, tenant, [0; 16], kek.id());
        let Some(sealed) = get(&*self.keys, &object)? else {
            return Err(VaultError::KeyMissing {
                unit: format!("tenant {}", to_hex(&tenant)),
                object,
            });
        };
        let plain = zeroize::Zeroizing::new(open_whole(kek.secret(), &place, &object, sealed)?);
        let (root, name) = self.read_key(&object, &plain)?;
        if tag(&self.naming, b"tenant", &name) != tenant {
            return Err(VaultError::damaged(&object, "it holds another tenant's key"));
        }
        Ok((root, name))
    }
}

fn report(kek: &Kek, tenants: usize) -> RewrapReport {
    let tenants = u64::try_from(tenants).unwrap_or(u64::MAX);
    RewrapReport { kek: to_hex(&kek.id()), tenants, destroyed: Vec::new() }
}
