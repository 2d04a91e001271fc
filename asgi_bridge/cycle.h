// A cycle is what the bridge has of one call of the application: its task, its receive() and
// send(), and how it ends. HttpCycle and WebSocketCycle know what the messages mean. Loop thread,
// with the GIL; the callbacks of the core (HttpHandler, WebSocketHandler) must not run Python code.
//
// Cycles are reference-counted. From its start on a cycle is owned by a Python object, the
// coroutine that its task steps, and the count is that object's: receive and send, the list of
// running calls and the ready queue keep it, and through it the garbage collector finds what the
// cycle owns. A cycle reaches the core only by handles.
#pragma once

#include <Python.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/python_ref.h"
#include "server/base/slot_table.h"

namespace cppasgi::bridge {

class AsgiApplication;
class LoopBridge;

class Cycle {
 public:
  // `application` outlives the cycle: its queue owns the cycle before the start, and from the start
  // on the cycle keeps the server, with the tables that handles look into.
  explicit Cycle(AsgiApplication& application) : application_(&application) {}
  virtual ~Cycle() = default;
  Cycle(const Cycle&) = delete;
  Cycle& operator=(const Cycle&) = delete;

  // Must be quiet (LoopBridge::Quiet) while receive() and send() are called.
  LoopBridge& loop_bridge();

  // --- called by Python: an awaitable (new reference), or null with an exception ---

  virtual PyObject* receive() = 0;
  virtual PyObject* send(PyObject* message) = 0;

  // --- by the application's coroutine ---

  // Makes `call` the owner, whose references are counted from now on. It deletes the cycle when it
  // is freed itself.
  void become_owned_by(PyObject* call);
  // The owner; null before the start.
  PyObject* owner() const { return call_; }
  // Visits what this owns, for the garbage collector; clear() drops that.
  int traverse(visitproc visit, void* arg) const;
  void clear();
  // Calls the application and returns a coroutine or another iterator to step. New reference, or
  // null with an exception.
  PyObject* call_application();
  // The application returned, or raised the exception that is set now. raised() returns true,
  // without an exception set, if that was dealt with, and false if the task must see it.
  void returned();
  bool raised();

  // --- by the Notice that receive() and send() may return ---

  // Notes that the current task awaits receive(), which may be another than the application's own.
  void note_listener();
  // Returns None if a send() that came too late is dropped, or null with an exception.
  PyObject* sent_too_late();

  // --- by the AsgiApplication ---

  // Starts the task, the first time; later calls end the waits that can end. Returns false with an
  // exception that the event loop must see.
  bool run();
  // The application's task; null before the start, during an eager first step, and after the end.
  PyObject* task() const { return task_.get(); }
  // Notes that the server cancels the task, so that the log doesn't blame the application.
  void note_cancelled() { cancelled_ = true; }
  // Returns true once, when `timeout` has passed since the first call that found the exchange over.
  bool is_overdue(std::chrono::steady_clock::time_point now, std::chrono::duration<double> timeout);
  // Drops the task when the server closes while the call runs.
  void abandon();

  void add_reference() {
    if (call_ != nullptr) {
      Py_INCREF(call_);
    } else {
      ++references_;
    }
  }
  void drop_reference() {
    if (call_ != nullptr) {
      Py_DECREF(call_);
    } else if (--references_ == 0) {
      delete this;
    }
  }

  bool queued = false;         // in the ready queue
  std::size_t index = 0;       // in the list of running calls
  bool only_in_batch = false;  // its response need not wait for others

 protected:
  virtual PyObject* make_scope() = 0;
  virtual bool exchange_over() const = 0;  // the response is complete, or the client has left
  virtual bool poll_writable() = 0;
  // Which tasks count as listeners for the client's leaving. False (HTTP): those that await
  // receive() when it leaves. True (WebSocket): also those, other than the application's own, that
  // have received any message before.
  virtual bool listening_lasts() const = 0;
  // Returns the next message for the application. Null means that there is none yet, if `pending`
  // is set, or else that an exception is set.
  virtual PythonRef next_message(bool& pending) = 0;
  virtual void application_returned() = 0;
  virtual void application_failed() = 0;  // raised or was cancelled

  AsgiApplication& application() { return *application_; }
  void queue();  // asks for run() soon

  // The core's callbacks call these: something came that receive() gives, the connection takes more
  // bytes, or the client has left.
  void note_received() {
    if (!receivers_.empty()) queue();
  }
  void note_writable() {
    writable_again_ = true;
    queue();
  }
  void note_client_left() {
    client_left_ = true;
    end_waits();
  }

  // Returns the awaitable of a receive() for the next message.
  PyObject* next_or_wait();
  // Like next_or_wait(), for the first message, and for the last, which is given each time it is
  // asked for; from the second time on only after a turn of the loop. They note which task listens.
  // They steal `message`; if that is null, they return null and leave the exception.
  PyObject* first_message(PyObject* message);
  PyObject* last_message(PyObject* message);
  // Return the awaitable of a send() that needn't wait, of one that must wait, and of one for which
  // the connection decides that.
  PyObject* sent();
  PyObject* wait_to_send() { return senders_.wait(wait_loop()); }
  PyObject* sent_or_wait() { return poll_writable() ? sent() : wait_to_send(); }
  // Returns the awaitable of a send() after the client has left. If a task listens for that, the
  // message is dropped: the listener is to learn of it first and gets some time to act. A message
  // of a response that comes to an end by itself is dropped too. Otherwise, and after that time,
  // the await raises ClientDisconnected (docs/design/0004).
  PyObject* send_too_late();

  // Has run() end the waits soon, since the exchange has ended.
  void end_waits() {
    if (!receivers_.empty() || !senders_.empty()) queue();
  }

  WaiterList receivers_;
  WaiterList senders_;
  bool writable_again_ = false;
  bool client_left_ = false;
  bool response_ends_ = false;  // by itself, as far as is known

 private:
  // After so many calls of send() that needn't wait, the clock decides whether the task must let
  // others run.
  static constexpr unsigned kSendsPerLook = 32;

  const WaitLoop& wait_loop() const;
  bool start();
  bool wake();  // ends the waits that can be ended
  // Whether a task is the application's own or another.
  enum class Party : bool { Application, Other };
  Party party(PyObject* task) const;
  void note_listener(PyObject* listener);
  // Whether another task than the sender listens for the client's leaving.
  bool listens_beside(Party sender) const;
  // Whether the sender's messages are dropped for a while, after the client has left.
  bool may_send_on(Party sender) const { return response_ends_ || listens_beside(sender); }
  void ended();

  AsgiApplication* application_;
  PyObject* call_ = nullptr;    // owns this
  std::size_t references_ = 0;  // before that
  PythonRef server_;            // from the start on
  PythonRef task_;
  std::optional<std::chrono::steady_clock::time_point> over_since_;
  std::chrono::steady_clock::time_point too_late_since_;  // the first send() that came too late
  unsigned sends_ = 0;                                    // that needed no waiting
  bool reported_overdue_ = false;
  bool reported_too_late_ = false;
  bool listens_itself_ = false;     // the application's own task (HTTP)
  bool listens_elsewhere_ = false;  // another one
  bool cancelled_ = false;          // by the server
  bool last_message_given_ = false;
  bool started_ = false;
  bool running_ = false;
};

// The base of both kinds of cycle: it has the handle of the responder in the core, which is gone
// once the exchange is over.
template <typename Responder, typename Handler>
class ResponderCycle : public Cycle, public Handler {
 public:
  ~ResponderCycle() override { stop_listening(); }

  void on_writable() override { note_writable(); }

 protected:
  ResponderCycle(AsgiApplication& application, Handle<Responder> responder)
      : Cycle(application), responder_(responder) {
    find_responder()->set_handler(this);
  }

  // Null once the exchange is over.
  Responder* find_responder() const { return responder_.get(); }
  void stop_listening() {
    if (Responder* listened = find_responder()) listened->set_handler(nullptr);
  }
  // Tells the core that the application failed, unless the exchange is over.
  void fail_exchange() {
    if (Responder* failed = find_responder()) failed->fail();
  }

  bool exchange_over() const final { return find_responder() == nullptr; }
  bool poll_writable() final {
    Responder* polled = find_responder();
    return polled == nullptr || polled->poll_writable();
  }

 private:
  Handle<Responder> responder_;
};

// A counted reference to a cycle.
class CycleRef {
 public:
  explicit CycleRef(Cycle* cycle) : cycle_(cycle) { cycle_->add_reference(); }
  CycleRef(CycleRef&& other) noexcept : cycle_(std::exchange(other.cycle_, nullptr)) {}
  CycleRef& operator=(CycleRef&& other) noexcept {
    std::swap(cycle_, other.cycle_);
    return *this;
  }
  CycleRef(const CycleRef& other) : CycleRef(other.cycle_) {}
  CycleRef& operator=(const CycleRef&) = delete;
  ~CycleRef() {
    if (cycle_ != nullptr) cycle_->drop_reference();
  }
  Cycle* operator->() const { return cycle_; }
  Cycle* get() const { return cycle_; }

 private:
  Cycle* cycle_;
};

}  // namespace cppasgi::bridge
