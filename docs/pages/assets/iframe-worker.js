// Browsers start no worker for a page that was opened from a file. There the search's worker runs in a frame of the page.
// The theme looks for `IFrameWorker` in the frame's parent, and waits for what `importScripts` returns.
if (location.protocol === "file:") {
  class FrameWorker extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.documentElement.append(frame);
      const inside = frame.contentWindow;
      this.loaded = new Promise((loaded) => {
        const run = (src) => new Promise((done, failed) => {
          const script = inside.document.createElement("script");
          Object.assign(script, { src, onload: done, onerror: failed });
          inside.document.head.append(script);
        });
        inside.importScripts = (...urls) => urls.reduce((before, src) => before.then(() => run(src)), Promise.resolve());
        inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        run(new URL(url, location.href).href).then(() => loaded(inside));
      });
    }

    postMessage(data) {
      this.loaded.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })));
    }
  }
  window.Worker = window.IFrameWorker = FrameWorker;
}
