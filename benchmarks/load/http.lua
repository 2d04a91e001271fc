-- wrk's requests: wrk ... -s http.lua URL -- METHOD BODY_BYTES PIPELINED keep-alive|close FIELDS
-- FIELDS is how many header fields there are at least, Host included.
-- done() adds p99.9, which wrk itself doesn't print.
local requests

function init(args)
  local headers = {}
  if args[4] == "close" then headers["Connection"] = "close" end
  for number = 2, tonumber(args[5]) do
    headers["X-Field-" .. number] = "the value of field " .. number
  end
  local bytes = tonumber(args[2])
  local body = bytes > 0 and string.rep("0123456789abcdef", bytes / 16) or nil
  requests = string.rep(wrk.format(args[1], nil, headers, body), tonumber(args[3]))
end

function request()
  return requests
end

function done(summary, latency, all)
  io.write(string.format("p99.9 %.1f us\n", latency:percentile(99.9)))
end
