// A WebSocket that comes back: exponential back-off, and a heart-beat while it is open.

const { heartbeat, reconnectAttempts } = document.body.dataset;

export class LiveSocket {
  // onFrame(frame): each JSON object received. onState(isOpen): opened, or lost.
  constructor(path, token, { onFrame, onState = () => {}, heartbeatType = "ping" }) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.url = `${scheme}//${location.host}${path}?token=${encodeURIComponent(token)}`;
    Object.assign(this, { onFrame, onState, heartbeatType });
    this.attempts = 0;
    this.open();
  }

  open() {
    this.socket = new WebSocket(this.url);
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onclose = () => this.lost();
  }

  receive(frame) {
    if (this.closed) return; // a frame that was already on its way
    if (frame.type === "connection_established") {
      this.attempts = 0;
      this.timer = setInterval(() => this.beat(), Number(heartbeat) * 1000);
      this.onState(true);
    }
    this.onFrame(frame);
  }

  beat() {
    this.send({ type: this.heartbeatType, timestamp: new Date().toISOString() });
  }

  send(frame) {
    const isOpen = this.socket.readyState === WebSocket.OPEN;
    if (isOpen) this.socket.send(JSON.stringify(frame));
    return isOpen;
  }

  lost() {
    clearInterval(this.timer);
    if (this.closed) return;
    this.onState(false);
    if (this.attempts >= Number(reconnectAttempts)) return;
    const delay = 1000 * 2 ** this.attempts * (0.75 + Math.random() / 2);
    this.attempts += 1;
    this.retry = setTimeout(() => this.open(), delay);
  }

  close() {
    this.closed = true;
    clearTimeout(this.retry);
    this.socket.close();
  }
}
