"use strict";
(() => {
  const find = (id) => document.getElementById(id), root = document.documentElement;

  const themes = ["auto", "light", "dark"];
  const show = (name) => {
    if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
    find("theme").textContent = "Theme: " + name;
    localStorage.setItem("theme", name);
  };
  show(themes.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");
  find("theme").onclick = () => show(themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length]);

  // The token comes behind the address's #, which is never sent, and stays in this tab.
  const secret = new URLSearchParams(location.hash.slice(1)).get("token");
  if (secret !== null) {
    sessionStorage.setItem("token", secret);
    history.replaceState(null, "", location.pathname);
  }

  const ask = async (path, words = {}) => {
    const token = sessionStorage.getItem("token");
    const headers = { ...words.headers, ...(token ? { Authorization: "Bearer " + token } : {}) };
    let answer;
    try {
      answer = await fetch("api/" + path, { ...words, headers });
    } catch {
      throw new Error("the server doesn’t answer; is `multiresunet serve` still running?");
    }
    if (answer.ok) return answer;
    if (answer.status === 401) find("key").hidden = false;
    throw new Error((await answer.json()).error);
  };

  const complain = (problem) => {
    find("error").textContent = problem ? problem.message : "";
    find("error").hidden = !problem;
  };

  const rows = (table, pairs) => table.replaceChildren(...pairs.map(([name, value]) => {
    const row = document.createElement("tr");
    for (const text of [name, value]) row.insertCell().textContent = text;
    return row;
  }));

  const percent = (share) => (100 * share).toFixed(share < 0.01 ? 3 : 1) + " %";

  let model;
  const start = async () => {
    complain(null);
    try {
      model = await (await ask("model")).json();
    } catch (problem) { complain(problem); return; }
    find("key").hidden = true;
    const score = `Jaccard ${percent(model.jaccard)} ± ${(100 * model.jaccard_sd).toFixed(1)} in cross-validation on ${model.images} images`;
    find("about").textContent = `${model.model}, trained on ${model.dataset} (${model.modality}). ${score}.`;
    find("kinds").textContent = `${model.dims === 3 ? "Volumes" : "Images"} of ${model.channels === 1 ? "one channel" : model.channels + " channels"}: ` +
      `${model.dims === 3 ? "NIfTI, NRRD, MetaImage, TIFF" : "PNG, JPEG, TIFF"} and more; up to ${Math.round(model.limit / 2 ** 20)} MiB`;
    const card = model.card || {};
    rows(find("described"), [["networks", model.networks.length + " (mean of their probabilities)"], ["threshold", model.threshold],
      ...(card.citation ? [["data", card.title], ["cite", card.citation], ["terms", card.terms]] : [])]);
    find("model").hidden = false;
    find("classes").replaceChildren(...model.classes.flatMap((name, index) => {
      const mark = document.createElement("i");
      mark.style.background = `rgb(${colour(index + 1)})`;
      return [mark, name];
    }));
    find("file").disabled = false;
  };
  find("key").onsubmit = (event) => { event.preventDefault(); sessionStorage.setItem("token", find("token").value); start(); };

  const colour = (number) => model.colours[(number - 1) % model.colours.length];

  // The image that is shown: its facts, and of the plane its picture, probabilities and classes.
  let facts = null, plane = null, threshold = 0.5, asked = 0, counted = 0;

  const predict = async (file) => {
    complain(null);
    counted++; // no answer still under way counts
    find("status").textContent = `Predicting ${file.name}…`;
    find("file").disabled = true;
    document.body.setAttribute("aria-busy", "true");
    try {
      facts = await (await ask("predict?name=" + encodeURIComponent(file.name), { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } })).json();
      prepare();
      await load();
      find("result").hidden = false;
      draw();
    } catch (problem) {
      complain(problem);
      find("result").hidden = true;
      facts = plane = null;
    } finally {
      find("status").textContent = "";
      find("file").disabled = false;
      find("file").value = "";
      document.body.removeAttribute("aria-busy");
    }
  };

  const prepare = () => {
    threshold = facts.threshold; // exactly, which the slider's steps may not be
    find("threshold").value = threshold;
    const volume = facts.planes.length > 0;
    document.querySelectorAll(".volume").forEach((one) => { one.hidden = !volume; });
    find("axis").replaceChildren(...facts.planes.map((one, axis) => new Option(one.name, axis)));
    if (volume) { find("axis").value = facts.first; turn(); }
    find("downloads").replaceChildren("Download: ", ...model.outputs.map((output) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = output;
      button.dataset.output = output;
      button.onclick = () => download(output);
      return button;
    }));
    tell();
  };

  const turn = () => {
    const across = facts.planes[Number(find("axis").value)];
    find("slice").max = across.count - 1;
    find("slice").value = across.most;
  };

  const load = async () => {
    const place = facts.planes.length ? `axis=${find("axis").value}&index=${find("slice").value}` : "", mine = ++asked;
    find("slice-is").textContent = facts.planes.length ? `${Number(find("slice").value) + 1} of ${Number(find("slice").max) + 1}` : "";
    const get = (what) => ask(`predictions/${facts.id}/${what}?${place}`);
    const [picture, probability, classes] = await Promise.all([get("image"), get("probability"), model.classes.length > 1 ? get("classes") : null]);
    const read = {
      picture: await createImageBitmap(await picture.blob()),
      probability: new Float32Array(await probability.arrayBuffer()),
      classes: classes && new Uint8Array(await classes.arrayBuffer()),
    };
    if (mine === asked && facts) plane = read;
  };
  const reload = () => load().then(draw, complain);

  const draw = () => {
    if (!plane) return;
    const canvas = find("canvas"), { picture, probability, classes } = plane, { width, height } = picture;
    canvas.width = width;
    canvas.height = height;
    fit(canvas, width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    const pixels = context.getImageData(0, 0, width, height), data = pixels.data;
    const opacity = Number(find("opacity").value), least = Math.fround(threshold), outlined = find("outline").checked;
    const thick = Math.max(1, Math.round(width / (canvas.clientWidth || width)));
    // What lies outside of the image counts as the same, as in predict's overlay: its frame is no outline.
    const same = (x, y, own) => x < 0 || y < 0 || x >= width || y >= height || (probability[y * width + x] >= least && (!classes || classes[y * width + x] === own));
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const p = probability[i], own = classes ? classes[i] : 1;
        const edge = outlined && p >= least && !(same(x - thick, y, own) && same(x + thick, y, own) && same(x, y - thick, own) && same(x, y + thick, own));
        const share = edge ? 1 : opacity * p;
        if (share > 0) for (let k = 0, tint = colour(own); k < 3; k++) data[4 * i + k] += share * (tint[k] - data[4 * i + k]);
      }
    }
    context.putImageData(pixels, 0, 0);
    find("opacity-is").textContent = Math.round(100 * opacity) + " %";
    find("threshold-is").textContent = threshold.toFixed(2);
  };

  // As large as the window allows; a volume's voxels may be longer along one axis.
  const fit = (canvas, width, height) => {
    const spacing = facts.planes.length && facts.spacing ? facts.spacing.filter((_, axis) => axis !== Number(find("axis").value)) : [1, 1];
    const [down, across] = facts.planes.length && facts.first === 2 ? [spacing[1], spacing[0]] : spacing;
    const ratio = (width * across) / (height * down), room = canvas.parentElement.clientWidth || document.body.clientWidth;
    const wide = Math.min(room, ratio * 0.7 * innerHeight, Math.max(width, 640));
    canvas.style.width = wide + "px";
    canvas.style.height = wide / ratio + "px";
    canvas.style.imageRendering = wide >= 2 * width ? "pixelated" : "auto";
  };

  const tell = () => {
    const known = facts.spacing ? facts.spacing.map((side) => +side.toPrecision(4)).join(" × ") + " mm" : "not known";
    rows(find("facts"), [["file", facts.name], ["size", facts.shape.join(" × ")], ["pixel", known],
      ["foreground", percent(facts.foreground_share)], ["components", facts.components],
      ...(facts.area === null ? [] : [[facts.planes.length ? "volume" : "area", `${+facts.area.toPrecision(5)} ${facts.area_unit}`]]),
      ...(facts.disagreement === null ? [] : [["disagreement of the folds", facts.disagreement.toFixed(4)]]),
      ...(facts.notes.length ? [["conversions", facts.notes.join("; ")]] : []), ["seconds", facts.seconds]]);
    find("warnings").hidden = !facts.warnings.length;
    find("warnings").replaceChildren(...facts.warnings.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
  };

  const query = () => "threshold=" + threshold;
  const recount = async () => {
    const mine = ++counted;
    await new Promise((done) => setTimeout(done, 250));
    if (mine !== counted || !facts) return;
    try {
      const found = await (await ask(`predictions/${facts.id}?${query()}`)).json();
      if (mine === counted && found.id === facts?.id) { facts = found; tell(); }
    } catch (problem) { if (mine === counted) complain(problem); }
  };

  const download = async (output) => {
    complain(null);
    try {
      const answer = await ask(`predictions/${facts.id}/files/${output}?${query()}`);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = decodeURIComponent(answer.headers.get("Content-Disposition").split("filename*=UTF-8''")[1]);
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    } catch (problem) { complain(problem); }
  };

  find("opacity").oninput = find("outline").onchange = draw;
  find("threshold").oninput = () => { threshold = Number(find("threshold").value); draw(); recount(); };
  find("slice").oninput = reload;
  find("axis").onchange = () => { turn(); reload(); };
  find("file").onchange = () => { if (find("file").files.length) predict(find("file").files[0]); };
  addEventListener("resize", () => requestAnimationFrame(draw));
  find("canvas").onpointermove = (event) => {
    const box = find("canvas").getBoundingClientRect(), { width, height } = plane.picture;
    const x = Math.min(width - 1, Math.floor((event.offsetX / box.width) * width)), y = Math.min(height - 1, Math.floor((event.offsetY / box.height) * height));
    find("where").textContent = `column ${x * facts.step}, row ${y * facts.step}: probability ${plane.probability[y * width + x].toFixed(3)}`;
  };
  find("canvas").onpointerleave = () => { find("where").textContent = ""; };
  addEventListener("dragover", (event) => { event.preventDefault(); find("drop").classList.add("over"); });
  addEventListener("dragleave", () => find("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    find("drop").classList.remove("over");
    if (event.dataTransfer.files.length && !find("file").disabled) predict(event.dataTransfer.files[0]);
  });
  start();
})();
