// The acts on domains, and how a domain is read. Plain blocking functions on an open connection; who calls them when,
// and with which deadline, is Host's business.
//
// A domain is ours to touch when its uuid is the vm's and it does not carry Nova's metadata; start also wants the claim
// in its metadata to be the order's. All acts are idempotent.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/sightings.h"
#include "service/hypervisor/session.h"
#include "service/hypervisor/storage.h"

namespace emplace {

// Without its disks.
Result<DomainSeen> read_domain(virDomainPtr domain);
// All domains, running or only defined, with their disks, each of which is added to `disks`; one that vanishes
// meanwhile is left out.
Result<std::vector<DomainSeen>> list_domains(const HostSession& session, std::vector<DiskSeen>& disks);
// Nothing: there is no such domain.
Result<std::optional<DomainSeen>> find_domain(virConnectPtr connection, const Uuid& vm);

// kConflict "emplace.hypervisor.nova", naming the domain.
Result<void> refuse_nova(const DomainSeen& seen, const std::string& host);

// The XML that would be defined: the template with the order's values, checked to be well-formed and to carry the
// order's name, uuid and claim.
Result<std::string> domain_xml(const HostSession& session, const StartOrder& order,
                               const DomainTemplate& domain_template);

// Define, then create. Running with the same claim is success, defined with the same claim is created; the same name or
// uuid otherwise is kConflict. What could not be created is undefined again. Between the steps `abandoned` is asked:
// once the caller has been told that time is up, no further step is taken.
Result<void> start_domain(const HostSession& session, const StartOrder& order, const DomainTemplate& domain_template,
                          const std::function<bool()>& abandoned);
// Power off and undefine; absent is success, as is one that was not started for `claim`, when that is given.
Result<void> destroy_domain(const HostSession& session, const Uuid& vm, const std::optional<Uuid>& claim,
                            const std::function<bool()>& abandoned);
// Asks the guest to power off; it may take its time or not listen. A stopped one is success, an absent one kNotFound.
Result<void> shut_down_domain(const HostSession& session, const Uuid& vm);

// The definition alone, with what libvirt keeps beside it.
Result<void> undefine_domain(virDomainPtr domain, const std::string& what);

}  // namespace emplace
