#include "service/openstack/web.h"

#include <fmt/format.h>

#include <QFile>
#include <QNetworkAccessManager>
#include <QNetworkProxy>
#include <QNetworkReply>
#include <QNetworkRequest>
#include <QSslCertificate>
#include <QSslConfiguration>
#include <QSslKey>
#include <QSslSocket>
#include <QThread>
#include <QTimer>
#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <set>

namespace emplace::openstack {
namespace {

using Promise = std::shared_ptr<std::promise<Result<WebReply>>>;
using Clock = std::chrono::steady_clock;

// A body that can be read once only. Qt sends a request again when a connection that it had kept ends without an
// answer, also a POST, which may then have been heard twice; it does not when it can't rewind the body.
class Once : public QIODevice {
 public:
  explicit Once(const std::string& body) : body_(QByteArray::fromStdString(body)) { open(QIODevice::ReadOnly); }
  bool reset() override { return false; }
  bool seek(qint64) override { return false; }
  qint64 size() const override { return body_.size(); }

 protected:
  qint64 readData(char* to, qint64 most) override {
    const qint64 count = std::min<qint64>(most, body_.size() - read_);
    std::copy_n(body_.constData() + read_, count, to);
    read_ += count;
    return count;
  }
  qint64 writeData(const char*, qint64) override { return -1; }

 private:
  const QByteArray body_;
  qint64 read_ = 0;
};

// One request on its way; lives on the thread of the sockets, as a child of its QNetworkReply.
struct Flight {
  std::string what;  // "GET http://..."
  Promise promise;
  std::size_t most_bytes = 0;
  std::string body = {};
  bool too_big = false, late = false;
  std::chrono::milliseconds patience{0};
  std::string proxy = {};  // "proxy HOST:PORT: "; empty: none
};

// Qt's errors from 201 to 299 and 401 to 499 stand for HTTP statuses, of which a reply tells; so does one of 302 for
// 400.
bool is_transport_error(QNetworkReply::NetworkError error, int status) {
  const int code = error;
  if (code == QNetworkReply::ProtocolInvalidOperationError && status == 400) return false;
  return code != 0 && (code < 200 || (code >= 300 && code < 400));
}

Result<WebReply> reply_of(const QNetworkReply& reply, Flight& flight) {
  if (flight.late) {
    return fail(ErrorCode::kTimeout, fmt::format("{}: no whole answer within {:.1f} s", flight.what,
                                                 std::chrono::duration<double>(flight.patience).count()));
  }
  if (flight.too_big) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("{}: wanted an answer of at most {} bytes, found more", flight.what, flight.most_bytes));
  }
  const int status = reply.attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt();
  if (is_transport_error(reply.error(), status) || status == 0) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("{}: {}{}", flight.what, flight.proxy, reply.errorString().toStdString()));
  }
  WebReply answer{status, {}, std::move(flight.body)};
  for (const auto& [name, value] : reply.rawHeaderPairs()) {
    answer.headers.emplace(name.toLower().toStdString(), value.toStdString());
  }
  return answer;
}

void take_bytes(QNetworkReply& reply, Flight& flight) {
  const QByteArray bytes = reply.readAll();
  if (flight.too_big) return;
  if (flight.body.size() + static_cast<std::size_t>(bytes.size()) > flight.most_bytes) {
    flight.too_big = true;
    return reply.abort();
  }
  flight.body.append(bytes.constData(), static_cast<std::size_t>(bytes.size()));
}

}  // namespace

struct Web::Inside {
  explicit Inside(WebOptions chosen) : options(std::move(chosen)) {}

  QNetworkRequest qt_request(const WebRequest& request) const {
    QNetworkRequest made(QUrl(QString::fromStdString(request.url)));
    made.setAttribute(QNetworkRequest::RedirectPolicyAttribute, QNetworkRequest::ManualRedirectPolicy);
    made.setAttribute(QNetworkRequest::Http2AllowedAttribute, false);
    made.setAttribute(QNetworkRequest::CookieLoadControlAttribute, QNetworkRequest::Manual);
    made.setAttribute(QNetworkRequest::CookieSaveControlAttribute, QNetworkRequest::Manual);
    made.setSslConfiguration(tls);
    made.setRawHeader("Accept", "application/json");
    if (!request.body.empty()) made.setHeader(QNetworkRequest::ContentTypeHeader, "application/json");
    for (const auto& [name, value] : request.headers) {
      made.setRawHeader(QByteArray::fromStdString(name), QByteArray::fromStdString(value));
    }
    return made;
  }

  QNetworkReply* send(const WebRequest& request) {
    const QByteArray method = QByteArray::fromStdString(request.method);
    if (!request.once) {
      return manager->sendCustomRequest(qt_request(request), method, QByteArray::fromStdString(request.body));
    }
    auto body = std::make_unique<Once>(request.body);
    QNetworkReply* const reply = manager->sendCustomRequest(qt_request(request), method, body.get());
    body.release()->setParent(reply);
    return reply;
  }

  // On the thread of the sockets.
  void start(const WebRequest& request, const Promise& promise, Deadline deadline) {
    auto flight = std::make_shared<Flight>(Flight{request.method + ' ' + request.url, promise, options.most_bytes});
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (!options.proxy.empty()) {
      flight->proxy = fmt::format("proxy {}:{}: ", proxy.hostName().toStdString(), proxy.port());
    }
    flight->patience = std::clamp(left, std::chrono::milliseconds(1), options.timeout);
    QNetworkReply* const reply = send(request);
    replies.insert(reply);
    QObject::connect(reply, &QNetworkReply::readyRead, reply, [reply, flight] { take_bytes(*reply, *flight); });
    QObject::connect(reply, &QNetworkReply::finished, reply, [this, reply, flight] {
      replies.erase(reply);
      if (reply->bytesAvailable() > 0) take_bytes(*reply, *flight);
      flight->promise->set_value(reply_of(*reply, *flight));
      reply->deleteLater();
    });
    QTimer::singleShot(flight->patience, reply, [reply, flight] {
      flight->late = true;
      reply->abort();
    });
  }

  std::future<Result<WebReply>> post(const WebRequest& request, Deadline deadline) {
    auto promise = std::make_shared<std::promise<Result<WebReply>>>();
    auto future = promise->get_future();
    QMetaObject::invokeMethod(context.get(), [this, request, deadline, promise] {
      if (stopped) return;  // the promise is broken with the last reference to it
      start(request, promise, deadline);
    });
    return future;
  }

  const WebOptions options;
  QNetworkProxy proxy = QNetworkProxy::NoProxy;
  QSslConfiguration tls = QSslConfiguration::defaultConfiguration();
  QThread thread;
  std::unique_ptr<QObject> context;
  QNetworkAccessManager* manager = nullptr;  // child of context
  std::set<QNetworkReply*> replies;          // of the thread, as manager
  std::atomic<bool> stopped{false};
};

namespace {

Result<WebReply> answer_of(std::future<Result<WebReply>>& future, const WebRequest& request) {
  try {
    return future.get();
  } catch (const std::future_error&) {
    return fail(ErrorCode::kUnavailable, fmt::format("{} {}: the service is stopping", request.method, request.url));
  }
}

Result<QList<QSslCertificate>> certificates_in(const std::string& file) {
  auto certificates = QSslCertificate::fromPath(QString::fromStdString(file));
  if (!certificates.isEmpty()) return certificates;
  return fail(ErrorCode::kInvalid, fmt::format("{}: wanted certificates in PEM, found none", file));
}

Result<QSslKey> key_in(const std::string& file) {
  QFile pem(QString::fromStdString(file));
  const QByteArray text = pem.open(QIODevice::ReadOnly) ? pem.readAll() : QByteArray();
  for (const QSsl::KeyAlgorithm kind : {QSsl::Rsa, QSsl::Ec, QSsl::Dsa}) {
    QSslKey key(text, kind);
    if (!key.isNull()) return key;
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("{}: wanted a private key in PEM without a passphrase, found none", file));
}

// Its URL may have a password.
Result<QNetworkProxy> proxy_of(const std::string& text) {
  if (text.empty()) return QNetworkProxy(QNetworkProxy::NoProxy);
  const QUrl url(QString::fromStdString(text), QUrl::StrictMode);
  const bool is_socks = url.scheme() == "socks5";
  if (!url.isValid() || url.host().isEmpty() || (!is_socks && url.scheme() != "http")) {
    return fail(ErrorCode::kInvalid, "proxy: wanted http://HOST:PORT or socks5://HOST:PORT, found something else");
  }
  return QNetworkProxy(is_socks ? QNetworkProxy::Socks5Proxy : QNetworkProxy::HttpProxy, url.host(),
                       static_cast<quint16>(url.port(is_socks ? 1080 : 3128)), url.userName(QUrl::FullyDecoded),
                       url.password(QUrl::FullyDecoded));
}

Result<void> trust(const WebOptions& options, QSslConfiguration& tls) {
  if (options.ca_file.empty()) return {};
  return certificates_in(options.ca_file).map([&](const auto& certificates) { tls.setCaCertificates(certificates); });
}

Result<void> identify(const WebOptions& options, QSslConfiguration& tls) {
  if (options.cert_file.empty()) return {};
  const auto chain = certificates_in(options.cert_file);
  if (!chain) return tl::unexpected(chain.error());
  const auto key = key_in(options.key_file.empty() ? options.cert_file : options.key_file);
  if (!key) return tl::unexpected(key.error());
  tls.setLocalCertificateChain(*chain);
  tls.setPrivateKey(*key);
  return {};
}

}  // namespace

Web::Web(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {
  Inside& in = *inside_;
  in.context = std::make_unique<QObject>();
  in.context->moveToThread(&in.thread);
  in.thread.setObjectName("openstack");
  in.thread.start();
  QMetaObject::invokeMethod(in.context.get(), [&in] {
    in.manager = new QNetworkAccessManager(in.context.get());
    in.manager->setProxy(in.proxy);
  });
}

Web::~Web() {
  stop();
  Inside& in = *inside_;
  QMetaObject::invokeMethod(
      in.context.get(), [&in] { delete in.manager; }, Qt::BlockingQueuedConnection);
  in.thread.quit();
  in.thread.wait();
}

Result<std::unique_ptr<Web>> Web::create(WebOptions options) {
  auto inside = std::make_unique<Inside>(std::move(options));
  if (!inside->options.verify) inside->tls.setPeerVerifyMode(QSslSocket::VerifyNone);
  const auto trusted =
      trust(inside->options, inside->tls).and_then([&] { return identify(inside->options, inside->tls); });
  if (!trusted) return tl::unexpected(trusted.error());
  const auto proxy = proxy_of(inside->options.proxy);
  if (!proxy) return tl::unexpected(proxy.error());
  inside->proxy = *proxy;
  return std::unique_ptr<Web>(new Web(std::move(inside)));
}

Result<WebReply> Web::fetch(const WebRequest& request, Deadline deadline) {
  auto future = inside_->post(request, deadline);
  return answer_of(future, request);
}

std::vector<Result<WebReply>> Web::fetch_all(const std::vector<WebRequest>& requests, Deadline deadline) {
  std::vector<Result<WebReply>> answers;
  std::deque<std::future<Result<WebReply>>> flying;
  std::size_t next = 0;
  answers.reserve(requests.size());
  while (answers.size() < requests.size()) {
    while (next < requests.size() && flying.size() < inside_->options.at_once) {
      flying.push_back(inside_->post(requests[next++], deadline));
    }
    answers.push_back(answer_of(flying.front(), requests[answers.size()]));
    flying.pop_front();
  }
  return answers;
}

void Web::stop() {
  if (inside_->stopped.exchange(true)) return;
  QMetaObject::invokeMethod(inside_->context.get(), [this] {
    const std::set<QNetworkReply*> all = inside_->replies;
    for (QNetworkReply* const reply : all) reply->abort();
  });
}

}  // namespace emplace::openstack
