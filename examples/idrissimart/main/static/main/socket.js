// A WebSocket that comes back by itself, waiting twice as long each time.

const ATTEMPTS = 8;

export class LiveSocket {
  // onFrame(frame): each JSON object received. onState(isOpen): opened, or lost.
  constructor(path, { onFrame, onState }) {
    this.url = `${location.origin.replace("http", "ws")}${path}`;
    Object.assign(this, { onFrame, onState });
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
    if (frame.type === "history") {
      this.attempts = 0;
      this.onState(true);
    }
    this.onFrame(frame);
  }

  send(frame) {
    const isOpen = this.socket.readyState === WebSocket.OPEN;
    if (isOpen) this.socket.send(JSON.stringify(frame));
    return isOpen;
  }

  lost() {
    if (this.closed) return;
    this.onState(false);
    if (this.attempts >= ATTEMPTS) return;
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
