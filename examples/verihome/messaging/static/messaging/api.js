// The JSON API. The access token lives in this tab only (sessionStorage), so two tabs of one browser
// can be two people; that is also why no cookies are sent or kept.

export const session = {
  get: () => JSON.parse(sessionStorage.getItem("verihome")),
  set: (login) => sessionStorage.setItem("verihome", JSON.stringify(login)),
  clear: () => sessionStorage.removeItem("verihome"),
};

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function request(method, path, body) {
  const headers = {};
  const login = session.get();
  if (login) headers.Authorization = `Bearer ${login.access_token}`;
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(`/api/v1/${path}`, {
    method,
    headers,
    body: body && JSON.stringify(body),
    credentials: "omit",
  });
  const answer = await response.json();
  if (!response.ok) throw new ApiError(response.status, answer.detail);
  return answer;
}

export const get = (path) => request("GET", path);
export const post = (path, body) => request("POST", path, body);
