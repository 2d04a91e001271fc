// WebRTC: one connection from the streamer to each viewer. Offers, answers and candidates go through
// the stream's socket; pictures and sound go directly, so both have to be in one network (a TURN
// server, in `iceServers`, would lift that).

const CONFIGURATION = { iceServers: [] };

// What is shown when there is no camera: a clock on a moving ground.
function testPicture() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  const context = canvas.getContext("2d");
  const draw = () => {
    const seconds = performance.now() / 1000;
    const ground = context.createLinearGradient(0, 0, 640, 360);
    ground.addColorStop(0, `hsl(${(seconds * 20) % 360} 65% 42%)`);
    ground.addColorStop(1, `hsl(${(seconds * 20 + 70) % 360} 65% 28%)`);
    context.fillStyle = ground;
    context.fillRect(0, 0, 640, 360);
    context.fillStyle = "#fff";
    context.font = "600 56px sans-serif";
    context.textAlign = "center";
    context.fillText(new Date().toLocaleTimeString(), 320, 200);
  };
  draw();
  const timer = setInterval(draw, 66);
  const stream = canvas.captureStream(15);
  stream.getVideoTracks()[0].addEventListener("ended", () => clearInterval(timer));
  return stream;
}

export async function openCamera() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
  } catch {
    return testPicture();
  }
}

// The streamer's side: viewer's user id -> connection.
export class Broadcast {
  constructor(stream, send) {
    Object.assign(this, { stream, send, peers: new Map() });
  }

  async offerTo(userId) {
    this.drop(userId);
    const peer = new RTCPeerConnection(CONFIGURATION);
    this.peers.set(userId, peer);
    for (const track of this.stream.getTracks()) peer.addTrack(track, this.stream);
    peer.onicecandidate = ({ candidate }) => {
      if (candidate) this.send("ice_candidate", { target_user_id: userId, candidate: candidate.toJSON() });
    };
    await peer.setLocalDescription();
    this.send("webrtc_offer", { target_user_id: userId, sdp: peer.localDescription.sdp });
  }

  async receive(type, { from_user_id: userId, sdp, candidate }) {
    const peer = this.peers.get(userId);
    if (!peer) return;
    if (type === "webrtc_answer") await peer.setRemoteDescription({ type: "answer", sdp });
    else await peer.addIceCandidate(candidate);
  }

  drop(userId) {
    this.peers.get(userId)?.close();
    this.peers.delete(userId);
  }

  close() {
    for (const userId of [...this.peers.keys()]) this.drop(userId);
    for (const track of this.stream.getTracks()) track.stop();
  }
}

// The viewer's side.
export class Reception {
  constructor(send, onStream) {
    Object.assign(this, { send, onStream, early: [] });
  }

  async receive(type, { sdp, candidate }) {
    if (type === "webrtc_offer") await this.answer(sdp);
    else if (this.peer?.remoteDescription) await this.peer.addIceCandidate(candidate);
    else this.early.push(candidate); // it overtook the offer's handling
  }

  async answer(sdp) {
    this.peer?.close();
    const peer = new RTCPeerConnection(CONFIGURATION);
    this.peer = peer;
    peer.ontrack = ({ streams }) => this.onStream(streams[0]);
    peer.onicecandidate = ({ candidate }) => {
      if (candidate) this.send("ice_candidate", { candidate: candidate.toJSON() });
    };
    await peer.setRemoteDescription({ type: "offer", sdp });
    await peer.setLocalDescription();
    this.send("webrtc_answer", { sdp: peer.localDescription.sdp });
    for (const candidate of this.early.splice(0)) await peer.addIceCandidate(candidate);
  }

  close() {
    this.peer?.close();
  }
}
