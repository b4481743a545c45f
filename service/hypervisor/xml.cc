#include "service/hypervisor/xml.h"

#include <fmt/format.h>

#include <QByteArray>
#include <QString>
#include <QStringList>
#include <QXmlStreamReader>

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

// Returns whether the element was read to its end.
bool read_domain_element(const std::string& path, QXmlStreamReader& reader, DomainXml& domain) {
  if (path == "domain") domain.type = text_of(reader.attributes().value(QLatin1String("type")));
  if (starts_with(path, "domain/metadata/")) read_metadata(reader, domain);
  if (path == "domain/name") return domain.name = element_text(reader), true;
  if (path == "domain/uuid") return domain.id = parse_uuid(element_text(reader)), true;
  return false;
}

struct Guest {
  bool hvm = false;
  std::string arch;
};

bool read_capability(const std::string& path, QXmlStreamReader& reader, CapabilitiesXml& host, Guest& guest) {
  const auto attribute = [&](const char* name) { return reader.attributes().value(QLatin1String(name)); };
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
  const auto read = walk(xml, [&](const std::string& path, QXmlStreamReader& reader) {
    return read_domain_element(path, reader, domain);
  });
  if (!read) return tl::unexpected<Error>(read.error());
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
