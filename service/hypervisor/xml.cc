#include "service/hypervisor/xml.h"

#include <fmt/format.h>

#include <QByteArray>
#include <QString>
#include <QStringList>
#include <QXmlStreamReader>
#include <algorithm>
#include <cmath>

namespace emplace {
namespace {

std::string text_of(QStringView view) { return view.toString().toStdString(); }

std::optional<Uuid> uuid_attribute(const QXmlStreamReader& reader, const char* name) {
  return parse_uuid(text_of(reader.attributes().value(QLatin1String(name))));
}

// Walks the document and calls element(path, reader) at each start tag; path is "domain/metadata/vm".
template <typename Element>
Result<void> walk(const std::string& xml, Element element) {
  QXmlStreamReader reader(QByteArray(xml.data(), static_cast<qsizetype>(xml.size())));
  QStringList path;
  while (!reader.atEnd()) {
    const auto token = reader.readNext();
    if (token == QXmlStreamReader::StartElement) {
      path.append(reader.name().toString());
      if (element(path.join(QLatin1Char('/')).toStdString(), reader)) path.removeLast();
    } else if (token == QXmlStreamReader::EndElement) {
      path.removeLast();
    }
  }
  if (!reader.hasError()) return {};
  return fail(ErrorCode::kInvalid, fmt::format("line {}: {}", reader.lineNumber(), reader.errorString().toStdString()));
}

bool starts_with(const std::string& text, const std::string& prefix) { return text.rfind(prefix, 0) == 0; }

void read_metadata(const QXmlStreamReader& reader, DomainXml& domain) {
  const std::string ns = text_of(reader.namespaceUri());
  if (starts_with(ns, kNovaNamespacePrefix)) domain.nova = true;
  if (ns == kEmplaceNamespace && reader.name() == QLatin1String("vm")) domain.claim = uuid_attribute(reader, "claim");
}

std::string element_text(QXmlStreamReader& reader) {
  return reader.readElementText(QXmlStreamReader::SkipChildElements).trimmed().toStdString();
}

double mebibytes(QXmlStreamReader& reader) {
  const QString unit = reader.attributes().value(QLatin1String("unit")).toString();
  const double amount = QString::fromStdString(element_text(reader)).toDouble();
  const double kib = unit == QLatin1String("bytes") || unit == QLatin1String("b") ? 1.0 / 1024
                     : unit == QLatin1String("MiB") || unit == QLatin1String("M") ? 1024
                     : unit == QLatin1String("GiB") || unit == QLatin1String("G") ? 1024.0 * 1024
                                                                                  : 1;
  return std::ceil(amount * kib / 1024);
}

// One <disk> on its way: kept when the domain's end of it is reached and it turned out to be one.
struct DiskReading {
  DiskXml disk;
  bool counts = false;
};

void end_disk(DiskReading& reading, DomainXml& domain) {
  if (reading.counts && !reading.disk.target.empty() && !reading.disk.path.empty())
    domain.disks.push_back(reading.disk);
  reading = {};
}

void read_disk_element(const std::string& path, const QXmlStreamReader& reader, DiskReading& reading,
                       DomainXml& domain) {
  const auto attribute = [&](const char* name) { return text_of(reader.attributes().value(QLatin1String(name))); };
  if (path == "domain/devices/disk") {
    end_disk(reading, domain);
    const std::string device = attribute("device");
    reading.counts = device.empty() || device == "disk";
  }
  if (path == "domain/devices/disk/readonly") reading.counts = false;
  if (path == "domain/devices/disk/target") reading.disk.target = attribute("dev");
  if (path != "domain/devices/disk/source") return;
  for (const char* const one : {"file", "dev", "name", "volume"}) {
    if (reading.disk.path.empty()) reading.disk.path = attribute(one);
  }
}

// Returns whether the element was read to its end.
bool read_domain_element(const std::string& path, QXmlStreamReader& reader, DomainXml& domain) {
  if (path == "domain") domain.type = text_of(reader.attributes().value(QLatin1String("type")));
  if (starts_with(path, "domain/metadata/")) read_metadata(reader, domain);
  if (path == "domain/name") return domain.name = element_text(reader), true;
  if (path == "domain/uuid") return domain.id = parse_uuid(element_text(reader)), true;
  if (path == "domain/vcpu") return domain.vcpus_max = QString::fromStdString(element_text(reader)).toDouble(), true;
  if (path == "domain/memory" || path == "domain/maxMemory") {
    domain.memory_max_mib = std::max(domain.memory_max_mib, mebibytes(reader));
    return true;
  }
  return false;
}

struct Guest {
  bool hvm = false;
  std::string arch;
};

bool read_capability(const std::string& path, QXmlStreamReader& reader, CapabilitiesXml& host, Guest& guest) {
  const auto attribute = [&](const char* name) { return reader.attributes().value(QLatin1String(name)); };
  if (path == "capabilities/host/uuid") return host.host_uuid = element_text(reader), true;
  if (path == "capabilities/host/cpu/arch") return host.arch = element_text(reader), true;
  if (path == "capabilities/host/topology/cells/cell") host.cells.push_back({attribute("id").toUInt()});
  if (!host.cells.empty() && path == "capabilities/host/topology/cells/cell/cpus/cpu") {
    host.cells.back().cpus.push_back(attribute("id").toInt());
  }
  if (!host.cells.empty() && path == "capabilities/host/topology/cells/cell/memory") {
    host.cells.back().memory_mib = QString::fromStdString(element_text(reader)).toDouble() / 1024;
    return true;
  }
  if (path == "capabilities/guest") guest = {};
  if (path == "capabilities/guest/os_type") return guest.hvm = element_text(reader) == "hvm", true;
  if (path == "capabilities/guest/arch") guest.arch = text_of(attribute("name"));
  if (path == "capabilities/guest/arch/domain" && guest.hvm && guest.arch == host.arch) {
    host.domain_types.push_back(text_of(attribute("type")));
  }
  return false;
}

}  // namespace

Result<DomainXml> read_domain_xml(const std::string& xml) {
  DomainXml domain;
  DiskReading disk;
  const auto read = walk(xml, [&](const std::string& path, QXmlStreamReader& reader) {
    read_disk_element(path, reader, disk, domain);
    return read_domain_element(path, reader, domain);
  });
  if (!read) return tl::unexpected<Error>(read.error());
  end_disk(disk, domain);
  return domain;
}

Result<CapabilitiesXml> read_capabilities_xml(const std::string& xml) {
  CapabilitiesXml host;
  Guest guest;
  const auto read = walk(xml, [&](const std::string& path, QXmlStreamReader& reader) {
    return read_capability(path, reader, host, guest);
  });
  if (!read) return tl::unexpected<Error>(read.error());
  return host;
}

Result<PoolXml> read_pool_xml(const std::string& xml) {
  PoolXml pool;
  const auto read = walk(xml, [&](const std::string& path, QXmlStreamReader& reader) {
    if (path == "pool") pool.type = text_of(reader.attributes().value(QLatin1String("type")));
    if (path != "pool/target/path") return false;
    pool.path = element_text(reader);
    return true;
  });
  if (!read) return tl::unexpected<Error>(read.error());
  return pool;
}

Result<std::string> escape_xml(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') {
      return fail(ErrorCode::kInvalid, fmt::format("contains the control character {:#04x}", byte));
    }
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '\'':
        escaped += "&apos;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace emplace
