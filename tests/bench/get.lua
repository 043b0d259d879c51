-- Gets one of the first hundred secrets that the preparation wrote. Arguments: token.
local counter = 0
function init(args)
  headers = { ["X-Vault-Token"] = args[1] }
end
function request()
  counter = (counter + 1) % 100
  return wrk.format("GET", "/v1/bench/data/get-" .. counter, headers)
end
function done(summary, latency, requests)
  local errors = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, errors,
    latency:percentile(99)))
end
