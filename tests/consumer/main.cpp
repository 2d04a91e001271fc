// Links the installed core: binds a server, starts it, drops it. Exit status 0 when that worked.
#include "server/application.h"
#include "server/net/event_loop.h"
#include "server/server.h"

namespace {

class NoApplication final : public cppasgi::Application {
 public:
  void start_http(cppasgi::Handle<cppasgi::HttpResponder>) override {}
  void start_websocket(cppasgi::Handle<cppasgi::WebSocketResponder>) override {}
  void on_log(std::string_view) override {}
};

}  // namespace

int main() {
  cppasgi::net::EventLoop loop;
  NoApplication application;
  cppasgi::Server server(loop, application, cppasgi::ServerOptions());
  const cppasgi::Address address = server.bind_tcp("127.0.0.1", 0);
  server.start();
  return address.port != 0 ? 0 : 1;
}
