#include "cli/check/elf.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>

namespace emplace::check {
namespace {

// The file's bytes; every read is checked, as the file may be anything.
class File {
 public:
  explicit File(std::string bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
  std::optional<T> at(std::uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  std::string text(const Elf64_Shdr& strings, std::uint64_t offset) const {
    const std::uint64_t start = strings.sh_offset + offset;
    if (offset >= strings.sh_size || start >= bytes_.size()) return {};
    return {bytes_.data() + start, strnlen(bytes_.data() + start, bytes_.size() - start)};
  }

 private:
  const std::string bytes_;
};

struct Section {
  Elf64_Shdr header;
  Elf64_Shdr strings;  // of the section it is linked to
};

std::optional<Section> find_section(const File& file, const Elf64_Ehdr& header, std::uint32_t type) {
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const auto section = file.at<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr));
    if (!section || section->sh_type != type) continue;
    const auto strings = file.at<Elf64_Shdr>(header.e_shoff + section->sh_link * sizeof(Elf64_Shdr));
    if (strings) return Section{*section, *strings};
  }
  return std::nullopt;
}

void add_symbol(const Elf64_Sym& symbol, std::string name, DynamicSymbols& found) {
  const auto binding = ELF64_ST_BIND(symbol.st_info);
  const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  if (name.empty() || binding == STB_LOCAL) return;
  if (symbol.st_shndx == SHN_UNDEF) {
    if (binding != STB_WEAK) found.wanted.push_back(std::move(name));
  } else if (visibility == STV_DEFAULT || visibility == STV_PROTECTED) {
    found.exported.push_back(std::move(name));
  }
}

}  // namespace

Result<DynamicSymbols> read_dynamic_symbols(const std::filesystem::path& library) {
  std::ifstream in(library, std::ios::binary);
  const File file(std::string{std::istreambuf_iterator<char>(in), {}});
  const auto header = file.at<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64) {
    return fail(ErrorCode::kInvalid, fmt::format("wanted a 64-bit ELF shared object, found another file"));
  }
  const auto symbols = find_section(file, *header, SHT_DYNSYM);
  const auto dynamic = find_section(file, *header, SHT_DYNAMIC);
  if (!symbols || !dynamic) {
    return fail(ErrorCode::kInvalid, "wanted a shared object, found no table of dynamic symbols");
  }
  DynamicSymbols found;
  for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= symbols->header.sh_size; at += sizeof(Elf64_Sym)) {
    const auto symbol = file.at<Elf64_Sym>(symbols->header.sh_offset + at);
    if (symbol) add_symbol(*symbol, file.text(symbols->strings, symbol->st_name), found);
  }
  for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic->header.sh_size; at += sizeof(Elf64_Dyn)) {
    const auto entry = file.at<Elf64_Dyn>(dynamic->header.sh_offset + at);
    if (entry && entry->d_tag == DT_NEEDED) found.needed.push_back(file.text(dynamic->strings, entry->d_un.d_val));
  }
  return found;
}

}  // namespace emplace::check
