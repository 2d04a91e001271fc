// One call of the application: its task, its receive() and send(), and how it ends. HttpCycle and
// WebSocketCycle say what the messages mean. Loop thread, with the GIL; only the handler callbacks
// of the derived classes run without thought of Python.
//
// A cycle is counted. From its start on that count is a Python object's, the coroutine that its
// task steps, which owns it: receive and send, the list of running calls and the ready queue keep
// that object, and the garbage collector finds through it what the cycle owns. What a cycle reaches
// of the core goes through handles.
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
  // `application` outlives it: its queue owns the cycle at first, and from the start on the cycle
  // keeps the whole server, and with it the tables that handles look into.
  explicit Cycle(AsgiApplication& application) : application_(&application) {}
  virtual ~Cycle() = default;
  Cycle(const Cycle&) = delete;
  Cycle& operator=(const Cycle&) = delete;

  // Kept quiet (LoopBridge::Quiet) while receive() and send() are called.
  LoopBridge& loop_bridge();

  // --- called by Python: an awaitable (new reference), or null with an exception ---

  virtual PyObject* receive() = 0;
  virtual PyObject* send(PyObject* message) = 0;

  // --- by the application's coroutine ---

  // From now on `call` is counted instead; it deletes the cycle when nobody has it any more.
  void become_owned_by(PyObject* call);
  // That object; null before.
  PyObject* owner() const { return call_; }
  // What it owns, for the garbage collector, and the end of that.
  int traverse(visitproc visit, void* arg) const;
  void clear();
  // Calls the application: a coroutine or other iterator to step (new reference), or null with an
  // exception.
  PyObject* call_application();
  // It returned, or raised what Python has set now. True when the exception was dealt with, false
  // when the task must see it.
  void returned();
  bool raised();

  // --- by what receive() and send() return at the ends of an exchange ---

  // A task awaits receive() now: is it another than the application's own?
  void note_listener();
  // None for a send() that came too late and is dropped, or null with an exception.
  PyObject* sent_too_late();

  // --- by the AsgiApplication ---

  // Starts the task the first time, then wakes who waits. False with an exception that the event
  // loop must see.
  bool run();
  // Null before the start, during an eager first step, and after the end.
  PyObject* task() const { return task_.get(); }
  // The server cancels the task, which isn't told as the application's fault.
  void note_cancelled() { cancelled_ = true; }
  // True once, when the exchange has been over for `timeout`, as far as earlier calls have seen it.
  bool is_overdue(std::chrono::steady_clock::time_point now, std::chrono::duration<double> timeout);
  // Breaks the ties to Python when the server closes under a running call.
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
  // Who listens for the client's end: for HTTP whoever awaits receive() then; for WebSocket whoever
  // has received any message in another task than the application's own, even if it doesn't wait
  // now.
  virtual bool listening_lasts() const = 0;
  // The next message for the application; `pending` when there is none yet. Null with an exception
  // otherwise.
  virtual PythonRef next_message(bool& pending) = 0;
  virtual void application_returned() = 0;
  virtual void application_failed() = 0;  // raised or was cancelled

  AsgiApplication& application() { return *application_; }
  void queue();  // asks for run() soon

  // What the core's callbacks do: something came that receive() gives, the connection takes more,
  // and the client has left.
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

  // What receive() returns: the next message, now or later.
  PyObject* next_or_wait();
  // The same for the first message, and for the last, which is given as often as it is asked for,
  // again only after a turn of the loop. They note who listens. Take `message` over (null passes
  // an error on).
  PyObject* first_message(PyObject* message);
  PyObject* last_message(PyObject* message);
  // What send() returns when it need not wait, when it does, and when the connection tells which.
  PyObject* sent();
  PyObject* wait_to_send() { return senders_.wait(wait_loop()); }
  PyObject* sent_or_wait() { return poll_writable() ? sent() : wait_to_send(); }
  // The same once the client has left. Where somebody listens for that, the message is dropped:
  // that one hears of it first and has time to act. So is one of a response that comes to an end
  // by itself. Otherwise, and after that time, it raises ClientDisconnected (docs/design/0004).
  PyObject* send_too_late();

  // Ends the waits of an exchange that has ended, soon.
  void end_waits() {
    if (!receivers_.empty() || !senders_.empty()) queue();
  }

  WaiterList receivers_;
  WaiterList senders_;
  bool writable_again_ = false;
  bool client_left_ = false;
  bool response_ends_ = false;  // by itself, as far as is known

 private:
  // After so many send() that needn't wait, a look at the clock decides whether the task must let
  // others run.
  static constexpr unsigned kSendsPerLook = 32;

  const WaitLoop& wait_loop() const;
  bool start();
  bool wake();  // ends the waits that can be ended
  // The application's own task, or another.
  enum class Party : bool { Application, Other };
  Party party(PyObject* task) const;
  void note_listener(PyObject* listener);
  // Does somebody listen for the client's end beside this one, who sends?
  bool listens_beside(Party sender) const;
  // May it send into nothing for a while?
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

// What cycles of both kinds do with their responder in the core, which is gone once the exchange is
// over.
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
