// A WebSocket that comes back by itself, waiting twice as long each time, until it is closed here or
// the server says with its close code that there is nothing to come back to.

const ATTEMPTS = 8;
const FINAL_CODES = [1000, 4003]; // the stream has ended, kicked

export class LiveSocket {
  // onFrame(type, data): each frame. onState(isOpen): opened, or lost. onEnd(code): will not come back.
  constructor(path, { onFrame, onState = () => {}, onEnd = () => {} }) {
    this.url = `${location.origin.replace("http", "ws")}${path}`;
    Object.assign(this, { onFrame, onState, onEnd });
    this.attempts = 0;
    this.open();
  }

  open() {
    this.socket = new WebSocket(this.url);
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onclose = (event) => this.lost(event.code);
  }

  receive({ type, data }) {
    if (this.closed) return; // a frame that was already on its way
    if (type === "connection_established") {
      this.attempts = 0;
      this.onState(true);
    }
    this.onFrame(type, data);
  }

  send(type, data = {}) {
    const isOpen = this.socket.readyState === WebSocket.OPEN;
    if (isOpen) this.socket.send(JSON.stringify({ type, data }));
    return isOpen;
  }

  lost(code) {
    if (this.closed) return;
    this.onState(false);
    if (FINAL_CODES.includes(code) || this.attempts >= ATTEMPTS) {
      this.onEnd(code);
      return;
    }
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
