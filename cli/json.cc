#include "cli/json.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>

#include "cli/failure.h"

namespace emplace::cli {
namespace {

const rapidjson::Value& as_value(const void* value) {
  static const rapidjson::Value kNull;
  return value ? *static_cast<const rapidjson::Value*>(value) : kNull;
}

}  // namespace

Json Json::parse(const std::string& text, const std::string& source) {
  auto document = std::make_shared<rapidjson::Document>();
  document->Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(text.data(), text.size());
  if (document->HasParseError()) {
    throw Failure(kBadInput, fmt::format("{}: not JSON at byte {}: {}", source, document->GetErrorOffset(),
                                         rapidjson::GetParseError_En(document->GetParseError())));
  }
  Json json;
  json.value_ = static_cast<const rapidjson::Value*>(document.get());
  json.document_ = std::move(document);
  return json;
}

Json Json::operator[](std::string_view member) const {
  const rapidjson::Value& value = as_value(value_);
  if (!value.IsObject()) return {};
  const auto found = value.FindMember(
      rapidjson::Value(rapidjson::StringRef(member.data(), static_cast<rapidjson::SizeType>(member.size()))));
  if (found == value.MemberEnd()) return {};
  Json json = *this;
  json.value_ = &found->value;
  return json;
}

Json Json::at(std::size_t i) const {
  const rapidjson::Value& value = as_value(value_);
  if (!value.IsArray() || i >= value.Size()) return {};
  Json json = *this;
  json.value_ = &value[static_cast<rapidjson::SizeType>(i)];
  return json;
}

std::size_t Json::size() const {
  const rapidjson::Value& value = as_value(value_);
  if (value.IsArray()) return value.Size();
  return value.IsObject() ? value.MemberCount() : 0;
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  std::vector<std::pair<std::string, Json>> result;
  const rapidjson::Value& value = as_value(value_);
  if (!value.IsObject()) return result;
  for (const auto& member : value.GetObject()) {
    Json json = *this;
    json.value_ = &member.value;
    result.emplace_back(std::string(member.name.GetString(), member.name.GetStringLength()), json);
  }
  return result;
}

std::vector<Json> Json::items() const {
  std::vector<Json> result;
  if (!is_array()) return result;
  for (std::size_t i = 0; i < size(); ++i) result.push_back(at(i));
  return result;
}

Json Json::need(std::string_view member) const {
  const Json found = (*this)[member];
  if (found.is_null()) throw Failure(kServiceDefect, fmt::format("the answer of the service lacks '{}'", member));
  return found;
}

bool Json::is_null() const { return as_value(value_).IsNull(); }
bool Json::is_object() const { return as_value(value_).IsObject(); }
bool Json::is_array() const { return as_value(value_).IsArray(); }
bool Json::is_string() const { return as_value(value_).IsString(); }
bool Json::is_number() const { return as_value(value_).IsNumber(); }

bool Json::truth(bool fallback) const {
  const rapidjson::Value& value = as_value(value_);
  return value.IsBool() ? value.GetBool() : fallback;
}

double Json::number(double fallback) const {
  const rapidjson::Value& value = as_value(value_);
  return value.IsNumber() ? value.GetDouble() : fallback;
}

std::string Json::string(const std::string& fallback) const {
  const rapidjson::Value& value = as_value(value_);
  return value.IsString() ? std::string(value.GetString(), value.GetStringLength()) : fallback;
}

std::string Json::text() const {
  if (is_null()) return "-";
  if (is_string()) return string();
  if (is_number()) return fmt::format("{:.6g}", number());
  return dump();
}

std::string Json::dump() const {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  as_value(value_).Accept(writer);
  return std::string(buffer.GetString(), buffer.GetSize());
}

struct JsonWriter::Writer {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json{buffer};
};

JsonWriter::JsonWriter() : writer_(std::make_unique<Writer>()) {}
JsonWriter::~JsonWriter() = default;

JsonWriter& JsonWriter::begin_object() {
  writer_->json.StartObject();
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  writer_->json.EndObject();
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  writer_->json.StartArray();
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  writer_->json.EndArray();
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  writer_->json.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  writer_->json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  constexpr double kExact = 9007199254740992.0;
  if (std::trunc(number) == number && std::abs(number) < kExact) {
    writer_->json.Int64(static_cast<std::int64_t>(number));
  } else {
    writer_->json.Double(number);
  }
  return *this;
}

JsonWriter& JsonWriter::value(bool truth) {
  writer_->json.Bool(truth);
  return *this;
}

JsonWriter& JsonWriter::value(const std::vector<std::string>& texts) {
  begin_array();
  for (const std::string& text : texts) value(text);
  return end_array();
}

JsonWriter& JsonWriter::value(const Json& json) {
  const std::string text = json.dump();
  writer_->json.RawValue(text.data(), text.size(), rapidjson::kObjectType);
  return *this;
}

std::string JsonWriter::take() { return std::string(writer_->buffer.GetString(), writer_->buffer.GetSize()); }

}  // namespace emplace::cli
