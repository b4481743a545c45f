#include "cli/client.h"

#include <fmt/format.h>

#include <QByteArray>
#include <QCoreApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QNetworkAccessManager>
#include <QNetworkProxy>
#include <QNetworkReply>
#include <QNetworkRequest>
#include <QTimer>
#include <QUrl>
#include <QUuid>
#include <algorithm>
#include <cctype>
#include <vector>

#include "cli/failure.h"
#include "cli/table.h"

namespace emplace::cli {
namespace {

constexpr int kConnectionsEach = 6;  // Qt's own limit per QNetworkAccessManager and host
constexpr double kAnswerTimeoutS = 60;

int milliseconds(double seconds) { return static_cast<int>(seconds * 1000); }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

ExitCode exit_code_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return kNotAllowed;
    case 404:
    case 410:
      return kNotFound;
    case 409:
      return kRefused;
    case 429:
    case 503:
    case 504:
      return kUnreachable;
    default:
      return status < 500 ? kBadInput : kServiceDefect;
  }
}

}  // namespace

void raise(const Answer& answer) {
  std::string line = fmt::format("the service answered {}", answer.status);
  if (answer.body.starts_with('{')) {
    const Json problem = answer.json();
    const std::string detail = problem["detail"].string(problem["title"].string());
    if (!detail.empty()) line = detail;
    const std::string code = problem["code"].string();
    if (!code.empty()) line += fmt::format(" ({})", code);
    if (answer.status >= 500 && !problem["request_id"].is_null()) line += " " + problem["request_id"].string();
  }
  if (answer.status == 401) line += "; give a token with --token-file, $EMPLACE_TOKEN_FILE or --data";
  if (const auto retry = answer.headers.find("retry-after"); retry != answer.headers.end()) {
    line += fmt::format("; try again in {} s", retry->second);
  }
  throw Failure(exit_code_of(answer.status), printable(line));
}

struct Client::Network {
  std::vector<std::unique_ptr<QNetworkAccessManager>> managers;

  QNetworkAccessManager& manager(std::size_t i) {
    while (managers.size() <= i) {
      managers.push_back(std::make_unique<QNetworkAccessManager>());
      managers.back()->setProxy(QNetworkProxy::NoProxy);
    }
    return *managers[i];
  }
};

namespace {

QNetworkRequest to_qt(const std::string& url, const std::string& token, const Request& request, double timeout_s) {
  const QUrl target(QString::fromStdString(url + request.target), QUrl::StrictMode);
  if (!target.isValid() || target.host().isEmpty()) {
    throw Failure(kBadInput,
                  fmt::format("--url: wanted one such as http://127.0.0.1:8790, found '{}'", printable(url)));
  }
  QNetworkRequest result(target);
  result.setAttribute(QNetworkRequest::Http2AllowedAttribute, false);
  // The token goes to the service that was named, never to where an answer points.
  result.setAttribute(QNetworkRequest::RedirectPolicyAttribute, QNetworkRequest::ManualRedirectPolicy);
  result.setTransferTimeout(timeout_s > 0 ? milliseconds(timeout_s) : 0);
  if (!token.empty()) result.setRawHeader("Authorization", QByteArray::fromStdString("Bearer " + token));
  if (!request.body.empty()) result.setRawHeader("Content-Type", "application/json");
  for (const auto& [name, value] : request.headers) {
    result.setRawHeader(QByteArray::fromStdString(name), QByteArray::fromStdString(value));
  }
  return result;
}

QNetworkReply* start(QNetworkAccessManager& manager, const QNetworkRequest& qt, const Request& request) {
  if (request.method == "GET") return manager.get(qt);
  return manager.sendCustomRequest(qt, QByteArray::fromStdString(request.method),
                                   QByteArray::fromStdString(request.body));
}

int status_of(const QNetworkReply& reply) { return reply.attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt(); }

Answer to_answer(QNetworkReply& reply, const std::string& url) {
  Answer answer;
  answer.status = status_of(reply);
  if (answer.status == 0) {
    const bool timed_out = reply.error() == QNetworkReply::OperationCanceledError;
    throw Failure(kUnreachable, fmt::format("no answer from {}: {}", url,
                                            timed_out ? "no reply in time" : reply.errorString().toStdString()));
  }
  answer.body = reply.readAll().toStdString();
  for (const auto& [name, value] : reply.rawHeaderPairs())
    answer.headers[lower(name.toStdString())] = value.toStdString();
  return answer;
}

std::string next_line(QNetworkReply& reply) {
  std::string line = reply.readLine().toStdString();
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  return line;
}

struct Later {
  void operator()(QNetworkReply* reply) const { reply->deleteLater(); }
};
using Reply = std::unique_ptr<QNetworkReply, Later>;

}  // namespace

Client::Client(std::string url, std::string token)
    : url_(std::move(url)), token_(std::move(token)), network_(std::make_unique<Network>()) {
  while (url_.ends_with('/')) url_.pop_back();
}

Client::~Client() = default;

Answer Client::send(const Request& request, double timeout_s) {
  QElapsedTimer clock;
  clock.start();
  const Reply reply(start(network_->manager(0), to_qt(url_, token_, request, timeout_s), request));
  QEventLoop loop;
  QObject::connect(reply.get(), &QNetworkReply::finished, &loop, &QEventLoop::quit);
  if (!reply->isFinished()) loop.exec();
  Answer answer = to_answer(*reply, url_);
  answer.took_ms = static_cast<double>(clock.nsecsElapsed()) / 1e6;
  return answer;
}

Json Client::ask(const Request& request, double timeout_s) {
  const Answer answer = send(request, timeout_s);
  if (!answer.is_ok()) raise(answer);
  return answer.body.empty() ? Json() : answer.json();
}

void Client::send_all(int clients, const std::function<std::optional<Request>()>& next,
                      const std::function<void(const Request&, const Answer&)>& done) {
  QEventLoop loop;
  int open = 0;
  std::exception_ptr failure;
  const auto guarded = [&](const auto& act) {
    try {
      act();
    } catch (...) {  // Qt carries no exception through its event loop
      failure = std::current_exception();
    }
  };
  std::function<void(int)> advance = [&](int lane) {
    std::optional<Request> request;
    QNetworkReply* reply = nullptr;
    QElapsedTimer clock;
    guarded([&] {
      if (!failure) request = next();
      if (!request) return;
      auto& manager = network_->manager(static_cast<std::size_t>(lane / kConnectionsEach));
      clock.start();
      reply = start(manager, to_qt(url_, token_, *request, kAnswerTimeoutS), *request);
    });
    if (!reply) {
      if (open == 0) loop.quit();
      return;
    }
    ++open;
    QObject::connect(reply, &QNetworkReply::finished, &loop, [&, lane, clock, reply, asked = *request] {
      --open;
      reply->deleteLater();
      guarded([&] {
        Answer answer = to_answer(*reply, url_);
        answer.took_ms = static_cast<double>(clock.nsecsElapsed()) / 1e6;
        done(asked, answer);
      });
      advance(lane);
    });
  };
  QTimer::singleShot(0, &loop, [&] {
    for (int lane = 0; lane < std::max(1, clients); ++lane) advance(lane);
  });
  loop.exec();
  if (failure) std::rethrow_exception(failure);
}

void Client::stream(const Request& request, double quiet_s, const std::function<bool(const std::string&)>& on_line) {
  const Reply reply(start(network_->manager(0), to_qt(url_, token_, request, 0), request));
  QEventLoop loop;
  QTimer quiet;
  quiet.setSingleShot(true);
  QObject::connect(&quiet, &QTimer::timeout, &loop, &QEventLoop::quit);
  bool wanted = true;
  std::exception_ptr failure;
  const auto read = [&] {
    if (quiet_s > 0) quiet.start(milliseconds(quiet_s));
    try {
      while (wanted && status_of(*reply) == 200 && reply->canReadLine()) wanted = on_line(next_line(*reply));
    } catch (...) {  // Qt carries no exception through its event loop
      failure = std::current_exception();
      wanted = false;
    }
    if (!wanted) loop.quit();
  };
  QObject::connect(reply.get(), &QNetworkReply::readyRead, &loop, read);
  QObject::connect(reply.get(), &QNetworkReply::finished, &loop, &QEventLoop::quit);
  if (quiet_s > 0) quiet.start(milliseconds(quiet_s));
  if (!reply->isFinished()) loop.exec();
  if (reply->isFinished() && status_of(*reply) != 200) raise(to_answer(*reply, url_));
  read();  // what came with the end
  reply->abort();
  if (failure) std::rethrow_exception(failure);
}

std::string percent_encode(const std::string& text) {
  return QUrl::toPercentEncoding(QString::fromStdString(text)).toStdString();
}

std::string new_key() { return QUuid::createUuid().toString(QUuid::WithoutBraces).toStdString(); }

}  // namespace emplace::cli
