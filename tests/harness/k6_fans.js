// Fans for k6: they connect in waves from the moment BEGAN_MS on, and take events `goal #<number> <moment of posting, ms>`.
// k6 run -e URL=ws://… -e FANS=… -e WAVE=… -e INTERVAL_MS=… -e BEGAN_MS=… -e EVENTS=… k6_fans.js
import { sleep } from "k6";
import { Counter, Trend } from "k6/metrics";
import { WebSocket } from "k6/experimental/websockets";

const FANS = Number(__ENV.FANS);
const EVENTS = Number(__ENV.EVENTS);
const response = new Trend("response_ms");
const fanout = new Trend("fanout_ms");
const answered = new Counter("answered");

export const options = {
  scenarios: { fans: { executor: "per-vu-iterations", vus: FANS, iterations: 1, maxDuration: "120s" } },
};

export default function () {
  const due = Number(__ENV.BEGAN_MS) + Math.floor((__VU - 1) / Number(__ENV.WAVE)) * Number(__ENV.INTERVAL_MS);
  sleep(Math.max(0, due - Date.now()) / 1000);
  const fan = new WebSocket(__ENV.URL);
  let heard = 0;
  fan.onopen = () => {
    response.add(Date.now() - due);
    answered.add(1);
  };
  fan.onmessage = (message) => {
    fanout.add(Date.now() - Number(message.data.split(" ")[2]));
    heard += 1;
    if (heard === EVENTS) fan.close();
  };
}
