// X-Forwarded-* fields: what they change, and what they leave alone.
#include "server/session/proxy_headers.h"

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.h"

using cppasgi::Address;
using cppasgi::ConnectionInfo;
using cppasgi::ProxyHeaders;
using cppasgi::http::Field;
using cppasgi::http::RequestHead;
using cppasgi::session::forwarded_connection;
using cppasgi::session::TrustedProxies;

namespace {

const ConnectionInfo kProxy{
    {Address::Family::Tcp, "10.0.0.1", 4000}, {Address::Family::Tcp, "10.0.0.2", 80}, false};
const ProxyHeaders kNames{"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", {}};

ConnectionInfo read(std::initializer_list<Field> fields, const ConnectionInfo& connection = kProxy,
                    const std::vector<std::string>& trusted = {"*"},
                    const ProxyHeaders& names = kNames) {
  RequestHead head;
  head.append_method("GET");
  head.append_target("/");
  for (const Field& field : fields) {
    head.begin_field();
    head.append_field_name(field.name);
    head.append_field_value(field.value);
  }
  return forwarded_connection(head, names, TrustedProxies(trusted), connection);
}

}  // namespace

TEST_CASE("forwarded_connection: with everybody trusted the first address is the client",
          "[session][proxy]") {
  const ConnectionInfo info =
      read({{"X-Forwarded-For", " 192.0.2.7 , 10.9.9.9"}, {"X-Forwarded-Port", "5123"}});
  CHECK(info.client == Address{Address::Family::Tcp, "192.0.2.7", 5123});
  CHECK(info.server == kProxy.server);
  CHECK_FALSE(info.secure);
}

TEST_CASE("forwarded_connection: without an address nothing changes, as with Daphne",
          "[session][proxy]") {
  const ConnectionInfo info = read({{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Port", "1"}});
  CHECK(info.client == kProxy.client);
  CHECK_FALSE(info.secure);
}

TEST_CASE("forwarded_connection: a port that is no number is 0", "[session][proxy]") {
  const auto* text = GENERATE("", "x", "80x", "-1", "65536", "99999999999999999999");
  CHECK(read({{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Port", text}}).client.port == 0);
}

TEST_CASE("forwarded_connection: https and wss are secure, http ends at the proxy",
          "[session][proxy]") {
  CHECK(read({{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Proto", "https"}}).secure);
  CHECK(read({{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Proto", "WSS"}}).secure);
  CHECK_FALSE(read({{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Proto", "http"}}).secure);
}

TEST_CASE("forwarded_connection: a proxy on a Unix socket names a TCP client", "[session][proxy]") {
  const ConnectionInfo local{
      {Address::Family::Unix, "", 0}, {Address::Family::Unix, "/run/x.sock", 0}, false};
  const ConnectionInfo info = read({{"X-Forwarded-For", "2001:db8::1"}}, local);
  CHECK(info.client == Address{Address::Family::Tcp, "2001:db8::1", 0});
  CHECK(info.server == local.server);
}

TEST_CASE("forwarded_connection: the client is the last address that is no trusted proxy",
          "[session][proxy]") {
  const std::vector<std::string> trusted{"10.0.0.0/8", "2001:db8::/32"};
  const auto client = [&](const char* addresses) {
    return read({{"X-Forwarded-For", addresses}}, kProxy, trusted).client.host;
  };
  CHECK(client("192.0.2.7") == "192.0.2.7");
  CHECK(client("203.0.113.9, 192.0.2.7") == "192.0.2.7");
  CHECK(client("203.0.113.9, 192.0.2.7, 10.1.1.1, 2001:db8::7") == "192.0.2.7");
  CHECK(client("10.1.1.2, 10.1.1.1") == "10.1.1.2");
  CHECK(client("192.0.2.7, unknown, 10.1.1.1") == kProxy.client.host);
  CHECK(client(" , ,192.0.2.7,, ") == "192.0.2.7");
  CHECK(client(",") == kProxy.client.host);
}

TEST_CASE("forwarded_connection: all lines of the field are one list (RFC 9110 5.2)",
          "[session][proxy]") {
  const ConnectionInfo info = read({{"X-Forwarded-For", "203.0.113.9"},
                                    {"X-Forwarded-Proto", "http"},
                                    {"X-Forwarded-For", "192.0.2.7"},
                                    {"X-Forwarded-Proto", "https"}},
                                   kProxy, {"10.0.0.0/8"});
  CHECK(info.client.host == "192.0.2.7");
  CHECK(info.secure);
}

TEST_CASE("forwarded_connection: scheme and port are those beside the address",
          "[session][proxy]") {
  const ConnectionInfo info = read({{"X-Forwarded-For", "192.0.2.7, 10.1.1.1"},
                                    {"X-Forwarded-Proto", "https, http"},
                                    {"X-Forwarded-Port", "5123, 80"}},
                                   kProxy, {"10.0.0.0/8"});
  CHECK(info.client == Address{Address::Family::Tcp, "192.0.2.7", 5123});
  CHECK(info.secure);
}

TEST_CASE("forwarded_connection: an address may have a port", "[session][proxy]") {
  const auto client = [](const char* text) { return read({{"X-Forwarded-For", text}}).client; };
  CHECK(client("192.0.2.7:81") == Address{Address::Family::Tcp, "192.0.2.7", 81});
  CHECK(client("[2001:db8::1]:82") == Address{Address::Family::Tcp, "2001:db8::1", 82});
  CHECK(client("[2001:db8::1]") == Address{Address::Family::Tcp, "2001:db8::1", 0});
  CHECK(client("2001:db8::1") == Address{Address::Family::Tcp, "2001:db8::1", 0});
}

TEST_CASE("forwarded_connection: what is no address is dropped, but the scheme is believed",
          "[session][proxy]") {
  const auto* text =
      GENERATE("unknown", "_hidden", "evil\x1b[31m", "a b", "192.0.2", "192.0.2.7.1",
               "::1::", "%00", "fe80::1%eth0", "localhost", "192.0.2.7\\", "[192.0.2.7", "\xff\xfe",
               "-", "'", "<script>", "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21:22:23");
  const ConnectionInfo info = read(
      {{"X-Forwarded-For", text}, {"X-Forwarded-Port", "5123"}, {"X-Forwarded-Proto", "https"}});
  CHECK(info.client == kProxy.client);
  CHECK(info.secure);
  const ProxyHeaders names{"forwarded", "x-forwarded-port", "x-forwarded-proto", {}};
  CHECK(read({{"Forwarded", "for=\"" + std::string(text) + "\""}}, kProxy, {"*"}, names).client ==
        kProxy.client);
}

TEST_CASE("forwarded_connection: Forwarded is read if it is asked for (RFC 7239)",
          "[session][proxy]") {
  const std::vector<std::string> trusted{"10.0.0.0/8"};
  const ProxyHeaders names{"forwarded", "x-forwarded-port", "x-forwarded-proto", {}};
  const auto forwarded = [&](const char* text) {
    return read({{"Forwarded", text}}, kProxy, trusted, names);
  };
  CHECK(forwarded("for=192.0.2.7").client == Address{Address::Family::Tcp, "192.0.2.7", 0});
  CHECK_FALSE(forwarded("for=192.0.2.7").secure);
  CHECK(forwarded("For=\"[2001:db8::1]:4711\";Proto=HTTPS;by=10.0.0.2").client ==
        Address{Address::Family::Tcp, "2001:db8::1", 4711});
  CHECK(forwarded("proto=https;for=192.0.2.7, for=10.1.1.1;proto=http").secure);
  CHECK(forwarded("for=\"a,b\", for=192.0.2.7").client.host == "192.0.2.7");
  CHECK(forwarded("for=_hidden, for=10.1.1.1").client == kProxy.client);
  CHECK(forwarded("proto=https").client == kProxy.client);
  CHECK(forwarded("for=\"").client == kProxy.client);
  CHECK(forwarded("for=\"\\").client == kProxy.client);
  CHECK(forwarded(";;=,=;").client == kProxy.client);
}

TEST_CASE("forwarded_connection: Forwarded alone counts if it is asked for", "[session][proxy]") {
  const ProxyHeaders names{"forwarded", "x-forwarded-port", "x-forwarded-proto", {}};
  const std::initializer_list<Field> both{{"X-Forwarded-For", "203.0.113.9"},
                                          {"Forwarded", "for=192.0.2.7"}};
  CHECK(read(both, kProxy, {"10.0.0.0/8"}, names).client.host == "192.0.2.7");
  CHECK(read(both, kProxy, {"10.0.0.0/8"}).client.host == "203.0.113.9");
  CHECK(read({{"X-Forwarded-For", "203.0.113.9"}}, kProxy, {"*"}, names).client == kProxy.client);
}

TEST_CASE("forwarded_connection: a client's Forwarded doesn't stand in for the proxy's field",
          "[session][proxy]") {
  const ConnectionInfo info = read({{"Forwarded", "for=192.0.2.7;proto=https"}});
  CHECK(info.client == kProxy.client);
  CHECK_FALSE(info.secure);
}

TEST_CASE("TrustedProxies: addresses, networks, Unix sockets, everybody", "[session][proxy]") {
  const auto trusts = [](const char* entry, const char* host) {
    return TrustedProxies({entry}).trusts(std::string_view(host));
  };
  CHECK(trusts("127.0.0.1", "127.0.0.1"));
  CHECK_FALSE(trusts("127.0.0.1", "127.0.0.2"));
  CHECK(trusts("127.0.0.1", "::ffff:127.0.0.1"));
  CHECK(trusts("10.0.0.0/9", "10.127.255.255"));
  CHECK_FALSE(trusts("10.0.0.0/9", "10.128.0.0"));
  CHECK(trusts("0.0.0.0/0", "198.51.100.1"));
  CHECK_FALSE(trusts("0.0.0.0/0", "2001:db8::1"));
  CHECK(trusts("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(trusts("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(trusts("::/0", "192.0.2.1"));
  for (const char* bad :
       {"", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/", "10.0.0.0/8 ", "localhost", "::/129"}) {
    CHECK_THROWS_AS(trusts(bad, "10.0.0.1"), std::invalid_argument);
  }
  for (const char* bad : {"", "localhost", "10.0.0.1:80", "[::1]"})
    CHECK_FALSE(trusts("::/0", bad));
  CHECK(trusts("*", "anything"));
  const Address local{Address::Family::Unix, "", 0};
  CHECK(TrustedProxies({"unix"}).trusts(local));
  CHECK(TrustedProxies({"*"}).trusts(local));
  CHECK_FALSE(TrustedProxies({"::/0"}).trusts(local));
  CHECK_FALSE(TrustedProxies({}).trusts(kProxy.client));
}
