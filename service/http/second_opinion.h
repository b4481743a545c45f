// The SecondOpinion on a request is Boost.Beast's parser: what our own cutting found good must be good to it too. Only
// the body is kept of what it reads. Included by framing.cc alone, because Beast takes a second to compile.
//
// Beast asserts where hostile input can lead it (a last chunk that comes byte by byte); the pieces it gets here are cut
// so that it doesn't come to that, and its asserts are off so that a mistake of ours is a 400 and not an abort.
#pragma once

#define BOOST_DISABLE_ASSERTS

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace emplace::http {

class SecondOpinion : public boost::beast::http::basic_parser<true> {
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

 public:
  SecondOpinion() {
    eager(true);
    body_limit(UINT64_MAX);  // both limits are ours, checked before (boost::none would refuse every Content-Length)
    header_limit(UINT32_MAX);
  }

  // Whether Beast took the whole piece without complaint.
  bool agrees(std::string_view piece) {
    try {
      error_code error;
      const std::size_t taken = put(boost::asio::const_buffer(piece.data(), piece.size()), error);
      return !error && taken == piece.size();
    } catch (const std::exception&) {  // std::length_error and the like, by its own limits
      return false;
    }
  }

  std::string body;

 private:
  void on_request_impl(boost::beast::http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field, string_view, string_view, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view piece, error_code&) override {
    body.append(piece.data(), piece.size());
    return piece.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view piece, error_code& error) override {
    return on_body_impl(piece, error);
  }
  void on_finish_impl(error_code&) override {}
};

}  // namespace emplace::http
