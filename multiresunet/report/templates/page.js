"use strict";
(() => {
  const root = document.documentElement, themes = ["auto", "light", "dark"], button = document.getElementById("theme");
  let theme = "auto";
  const show = (name) => {
    theme = name;
    if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
    button.textContent = "Theme: " + name;
    try { localStorage.setItem("theme", name); } catch { /* a page from a file may have no storage */ }
  };
  try { const kept = localStorage.getItem("theme"); if (themes.includes(kept)) theme = kept; } catch { /* as above */ }
  show(theme);
  button.onclick = () => show(themes[(themes.indexOf(theme) + 1) % themes.length]);

  let shut = [];
  addEventListener("beforeprint", () => {
    shut = [...document.querySelectorAll("details.printed:not([open])")];
    shut.forEach((one) => { one.open = true; });
    galleries.forEach((one) => one.start());
  });
  addEventListener("afterprint", () => shut.forEach((one) => { one.open = false; }));

  const FALSE_NEGATIVE = [54, 139, 235], FALSE_POSITIVE = [255, 150, 20], TILE = 90, KEPT = 400;
  const picture = (url) => new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = fail;
    image.src = url;
  });

  // Pictures stay text until they come into view; the last few hundred decoded ones are kept.
  class Gallery {
    constructor(box) {
      this.box = box;
      this.started = false;
      this.decoded = new Map();
      this.tiles = new Map();
      this.at = 0;
    }

    start() {
      if (this.started) return;
      this.started = true;
      const data = JSON.parse(this.box.querySelector("script").textContent);
      this.models = data.models;
      this.items = data.items;
      [this.width, this.height] = data.size;
      const find = (name) => this.box.querySelector(name);
      this.viewer = find(".viewer"); this.strip = find(".strip"); this.track = this.strip.firstElementChild;
      this.by = find(".by"); this.order = find(".order"); this.where = find(".where");
      this.by.replaceChildren(new Option("mean of the models", "-1"), ...this.models.map((m, i) => new Option(m, i)));
      this.order.onchange = this.by.onchange = () => this.sort();
      this.strip.onscroll = () => { if (!this.waiting) { this.waiting = true; requestAnimationFrame(() => { this.waiting = false; this.fill(); }); } };
      find(".back").onclick = () => this.go(this.at - 1);
      find(".next").onclick = () => this.go(this.at + 1);
      this.box.onpointerenter = this.box.onfocus = () => { current = this; };
      this.frames = [this.frame(true), this.frame(false), ...this.models.flatMap(() => [this.frame(false), this.frame(false)])];
      this.viewer.replaceChildren(...this.frames.map((f) => f.figure));
      this.sort();
    }

    frame(photo) {
      const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
      canvas.width = this.width; canvas.height = this.height;
      if (photo) canvas.className = "photo";
      figure.append(canvas, caption);
      return { figure, canvas, caption };
    }

    score(item) {
      const which = Number(this.by.value);
      return which < 0 ? item.scores.reduce((a, b) => a + b, 0) / item.scores.length : item.scores[which];
    }

    sort() {
      const way = this.order.value;
      const key = way === "disagreement" || way === "distance" ? (i) => -i[way] : way === "best" ? (i) => -this.score(i) : (i) => this.score(i);
      this.sorted = this.items.map((item) => [key(item), item]).sort((a, b) => a[0] - b[0] || (a[1].sample < b[1].sample ? -1 : 1)).map((pair) => pair[1]);
      this.tiles.forEach((tile) => tile.remove());
      this.tiles.clear();
      this.track.style.width = this.sorted.length * TILE + "px";
      this.strip.scrollLeft = 0;
      this.go(0);
      this.fill();
    }

    async decode(item) {
      const known = this.decoded.get(item);
      if (known) { this.decoded.delete(item); this.decoded.set(item, known); return known; }
      const promise = Promise.all([picture("data:image/jpeg;base64," + item.input), picture("data:image/png;base64," + item.masks)]).then(([input, masks]) => {
        const canvas = document.createElement("canvas");
        canvas.width = this.width; canvas.height = this.height;
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(masks, 0, 0);
        return { input, bits: context.getImageData(0, 0, this.width, this.height).data };
      });
      this.decoded.set(item, promise);
      if (this.decoded.size > KEPT) this.decoded.delete(this.decoded.keys().next().value);
      return promise;
    }

    // what: -1 the input, 0 the truth, k the k-th model's mask; with error: where it differs from the truth.
    draw(canvas, { input, bits }, what, error) {
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(input, 0, 0, this.width, this.height);
      if (what < 0) return;
      const image = context.getImageData(0, 0, this.width, this.height), pixels = image.data;
      const channel = what >> 3, bit = 1 << (what & 7);
      for (let i = 0; i < pixels.length; i += 4) {
        const truth = bits[i] & 1, predicted = (bits[i + channel] & bit) !== 0;
        if (error) {
          const colour = predicted === (truth === 1) ? null : truth ? FALSE_NEGATIVE : FALSE_POSITIVE;
          for (let c = 0; c < 3; c++) pixels[i + c] = colour ? colour[c] : pixels[i + c] * (truth ? 0.75 : 0.4);
        } else pixels[i] = pixels[i + 1] = pixels[i + 2] = predicted ? 255 : 0;
      }
      context.putImageData(image, 0, 0);
    }

    fill() {
      const first = Math.max(0, Math.floor(this.strip.scrollLeft / TILE) - 4), last = Math.min(this.sorted.length, first + Math.ceil(this.strip.clientWidth / TILE) + 9);
      this.tiles.forEach((tile, index) => { if (index < first || index >= last) { tile.remove(); this.tiles.delete(index); } });
      const shown = Number(this.by.value), model = (shown < 0 ? Math.max(0, this.models.indexOf("multiresunet")) : shown) + 1;
      for (let index = first; index < last; index++) {
        if (this.tiles.has(index)) continue;
        const item = this.sorted[index], tile = document.createElement("button"), canvas = document.createElement("canvas"), label = document.createElement("span");
        tile.className = "tile"; tile.tabIndex = -1; tile.style.left = index * TILE + "px"; tile.title = item.sample;
        tile.setAttribute("aria-current", index === this.at);
        canvas.width = this.width; canvas.height = this.height;
        label.textContent = (this.order.value === "disagreement" ? item.disagreement : this.score(item)).toFixed(2);
        tile.append(canvas, label);
        tile.onclick = () => this.go(index);
        this.tiles.set(index, tile);
        this.track.append(tile);
        this.decode(item).then((pictures) => { if (tile.isConnected) this.draw(canvas, pictures, model, true); });
      }
    }

    async go(index) {
      current = this;
      this.at = Math.min(Math.max(index, 0), this.sorted.length - 1);
      const item = this.sorted[this.at], left = this.at * TILE, strip = this.strip;
      if (left < strip.scrollLeft || left + TILE > strip.scrollLeft + strip.clientWidth) strip.scrollLeft = left - strip.clientWidth / 2 + TILE / 2;
      this.tiles.forEach((tile, i) => tile.setAttribute("aria-current", i === this.at));
      this.where.textContent = `${this.at + 1} of ${this.sorted.length}`;
      this.box.dataset.sample = item.sample;
      const group = item.group ? `, group ${item.group}` : "";
      const say = (frame, bold, rest) => { const b = document.createElement("b"); b.append(...bold.split(/(?<=_)/).flatMap((part) => [part, document.createElement("wbr")])); frame.caption.replaceChildren(b, " " + rest); };
      say(this.frames[0], item.sample, `fold ${item.fold}${group}`);
      say(this.frames[1], "truth", `disagreement ${item.disagreement.toFixed(2)}`);
      this.models.forEach((model, k) => {
        say(this.frames[2 + 2 * k], model, `Jaccard ${item.scores[k].toFixed(2)}`);
        say(this.frames[3 + 2 * k], "error", "");
      });
      const pictures = await this.decode(item);
      if (this.sorted[this.at] !== item) return;
      this.frames.forEach((frame, i) => this.draw(frame.canvas, pictures, i === 0 ? -1 : i >> 1, i > 2 && i % 2 === 1));
    }
  }

  let current = null;
  const galleries = [...document.querySelectorAll(".gallery")].map((box) => new Gallery(box));
  const near = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (!entry.isIntersecting) return;
    const found = galleries.find((one) => one.box === entry.target);
    found.start();
    current = found;
  }), { rootMargin: "400px" });
  galleries.forEach((one) => near.observe(one.box));
  addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], at = event.target;
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || /^(SELECT|INPUT)$/.test(at.tagName)) return;
    const gallery = at === document.body ? current : galleries.find((one) => one.box.contains(at));
    if (!gallery?.started) return;
    event.preventDefault();
    gallery.go(gallery.at + step);
  });
})();
