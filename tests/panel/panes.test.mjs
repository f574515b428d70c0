/** The panes' arithmetic: zoom, divider, film, camera, requests. Run by `npm test` in web/viewer. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Courier } from "../../web/panel/panes/js/courier.mjs";
import { Film } from "../../web/panel/panes/js/film.mjs";
import { dividerAfter, pinched, scrolled } from "../../web/panel/panes/js/gesture.mjs";
import { arranged } from "../../web/panel/panes/js/layout.mjs";
import { ticks } from "../../web/panel/panes/js/legend.mjs";
import { nearer, onArc, reached, turned, wrapped } from "../../web/panel/panes/js/orbit.mjs";
import * as view from "../../web/panel/panes/js/view.mjs";

/** @type {(found: number, expected: number, tolerance?: number) => void} */
const near = (found, expected, tolerance = 1e-9) =>
  assert.ok(Math.abs(found - expected) <= tolerance, `${found}, expected ${expected}`);

/** A repeatable stream of numbers in [0, 1). */
function* random(seed = 1) {
  for (let state = seed; ;) {
    state = (1103515245 * state + 12345) % 2 ** 31;
    yield state / 2 ** 31;
  }
}

describe("one zoom for all panes", () => {
  const [picture, frame] = [
    { width: 128, height: 96 },
    { width: 400, height: 300 },
  ];

  it("shows the whole picture at first, in the middle", () => {
    const box = view.placed(view.WHOLE, picture, { width: 400, height: 400 });
    assert.deepEqual(box, { left: 0, top: 50, width: 400, height: 300 });
  });

  it("keeps what is under the pointer there", () => {
    const numbers = random();
    const next = () => Number(numbers.next().value);
    for (let k = 0; k < 200; k++) {
      // Around the middle of a picture that is large already: no edge is in the way.
      const from = { zoom: 4 + 4 * next(), x: 0.4 + 0.2 * next(), y: 0.4 + 0.2 * next() };
      const point = { x: 400 * next(), y: 300 * next() };
      const before = view.under(point, view.placed(from, picture, frame));
      const to = view.zoomedAt(from, 1 + next(), point, picture, frame);
      assert.ok(to.zoom > from.zoom);
      const after = view.under(point, view.placed(to, picture, frame));
      near(after.x, before.x);
      near(after.y, before.y);
    }
  });

  it("never shows what is beyond the picture's edge, and never less than the whole", () => {
    const numbers = random(7);
    const next = () => Number(numbers.next().value);
    let current = view.WHOLE;
    for (let k = 0; k < 500; k++) {
      const point = { x: 400 * next(), y: 300 * next() };
      current =
        k % 2 === 0
          ? view.zoomedAt(current, Math.exp(4 * next() - 2), point, picture, frame)
          : view.panned(current, 900 * next() - 450, 900 * next() - 450, picture, frame);
      const { left, top, width, height } = view.placed(current, picture, frame);
      assert.ok(left <= 1e-9 && top <= 1e-9, `${left}, ${top}`);
      assert.ok(left + width >= 400 - 1e-9 && top + height >= 300 - 1e-9);
      assert.ok(current.zoom >= 1 && current.zoom <= view.largestZoom(picture, frame));
    }
  });

  it("moves the picture as far as the hand", () => {
    const from = { zoom: 5, x: 0.5, y: 0.5 };
    const [before, after] = [from, view.panned(from, 30, -12, picture, frame)].map((one) =>
      view.placed(one, picture, frame),
    );
    near(Number(after?.left) - Number(before?.left), 30);
    near(Number(after?.top) - Number(before?.top), -12);
  });

  it("shows the same place of pictures of different sizes", () => {
    const [small, large] = [
      { width: 64, height: 48 },
      { width: 512, height: 384 },
    ];
    const one = { zoom: 3, x: 0.3, y: 0.6 };
    assert.deepEqual(view.placed(one, small, frame), view.placed(one, large, frame));
  });

  it("finds the pixel, and none outside", () => {
    assert.deepEqual(view.pixelAt({ x: 0, y: 0 }, picture), { x: 0, y: 0 });
    assert.deepEqual(view.pixelAt({ x: 0.999999, y: 0.5 }, picture), { x: 127, y: 48 });
    assert.equal(view.pixelAt({ x: 1, y: 0.5 }, picture), null);
    assert.equal(view.pixelAt({ x: 0.5, y: -1e-6 }, picture), null);
  });

  it("shows pixels as squares from twice their size on", () => {
    const small = { width: 100, height: 100 };
    const magnified = (/** @type {number} */ width, /** @type {number} */ density) =>
      view.isMagnified(view.WHOLE, small, { width, height: width }, density);
    assert.deepEqual(
      [magnified(199, 1), magnified(200, 1), magnified(100, 2)],
      [false, true, true],
    );
  });

  it("survives pictures and frames of no size", () => {
    const nothing = { width: 0, height: 0 };
    for (const [a, b] of /** @type {const} */ ([
      [nothing, frame],
      [picture, nothing],
      [nothing, nothing],
    ])) {
      assert.deepEqual(view.limited({ zoom: 3, x: 0, y: 1 }, a, b), view.WHOLE);
      for (const found of [
        view.zoomedAt(view.WHOLE, 2, { x: 1, y: 1 }, a, b),
        view.panned(view.WHOLE, 9, 9, a, b),
      ]) {
        assert.ok(Object.values(found).every(Number.isFinite), JSON.stringify(found));
      }
      assert.deepEqual(view.under({ x: 1, y: 1 }, view.placed(view.WHOLE, nothing, b)), {
        x: 0.5,
        y: 0.5,
      });
    }
  });
});

describe("how panes stand beside each other", () => {
  const wide = { width: 1100, height: 640 };

  it("in one row where there is room, below each other on a phone", () => {
    assert.equal(arranged(2, 1, wide).columns, 2);
    assert.equal(arranged(3, 1, wide).columns, 3);
    assert.deepEqual(arranged(4, 1, { width: 360, height: 640 }).columns, 2);
    assert.equal(arranged(2, 2, { width: 300, height: 900 }).columns, 1);
  });

  it("never wider than the page, in the picture's proportions", () => {
    for (const count of [1, 2, 3, 4]) {
      for (const aspect of [0.4, 1, 2.5]) {
        const { columns, frame } = arranged(count, aspect, wide);
        assert.ok(columns * frame.width + 12 * (columns - 1) <= wide.width);
        near(frame.width / frame.height, aspect, 0.05 * aspect);
      }
    }
  });

  it("of no size or proportions is no reason to fail", () => {
    for (const aspect of [0, NaN, Infinity, -1]) {
      const { frame } = arranged(2, aspect, { width: 0, height: 0 });
      assert.deepEqual(frame, { width: 1, height: 1 });
    }
  });
});

describe("the camera that is turned", () => {
  const free = /** @type {const} */ ({
    azimuth: null,
    elevation: [-1.5, 1.5],
    radius: [1, 5],
    around: false,
  });

  it("has angles in (-pi, pi]", () => {
    near(wrapped(3 * Math.PI), Math.PI);
    near(wrapped(-Math.PI), Math.PI);
    for (let angle = -20; angle < 20; angle += 0.37) {
      const found = wrapped(angle);
      assert.ok(found > -Math.PI && found <= Math.PI);
      near(Math.sin(found), Math.sin(angle));
      near(Math.cos(found), Math.cos(angle));
    }
  });

  it("stays on an arc, at the end that is nearer", () => {
    const arc = /** @type {const} */ ([2.8, 3.8]); // across the seam at pi
    near(onArc(-3, arc), -3 + 2 * Math.PI);
    near(onArc(2.7, arc), 2.8);
    near(onArc(4, arc), 3.8);
    near(onArc(-2, arc), 3.8); // 4.283 is nearer to 3.8 than to 2.8
    near(onArc(9, [0, 2 * Math.PI]), wrapped(9)); // all the way round is no arc
  });

  it("follows the hand by half a turn per height, and stops below the pole", () => {
    const start = { azimuth: 0, elevation: 0, radius: 3 };
    near(turned(start, 0.5, 0, free).azimuth, -Math.PI / 2);
    near(turned(start, 0, 0.1, free).elevation, Math.PI / 10);
    near(turned(start, 0, 9, free).elevation, 1.5);
    near(turned(turned(start, 0.7, 0, free), 0.7, 0, free).azimuth, wrapped(-1.4 * Math.PI));
  });

  it("turns the head the other way, and less far", () => {
    const start = { azimuth: 0, elevation: 0, radius: 3 };
    near(turned(start, 0.5, 0, { ...free, around: true }).azimuth, Math.PI / 6);
    near(turned(start, 0, 0.3, { ...free, around: true }).elevation, -Math.PI / 10);
  });

  it("comes nearer, within the reach", () => {
    const start = { azimuth: 0, elevation: 0, radius: 3 };
    near(nearer(start, 1.5, free).radius, 2);
    near(nearer(start, 100, free).radius, 1);
    near(nearer(start, 0.01, free).radius, 5);
    assert.ok(reached({ ...start, radius: -1 }, { ...free, radius: null }).radius > 0);
  });
});

describe("cameras on their way to the server", () => {
  const orbit = (/** @type {number} */ azimuth) => ({ azimuth, elevation: 0, radius: 1 });

  /** @param {number} [serial] */
  function sender(serial) {
    /** @type {[number, number][]} */
    const sent = [];
    const courier = new Courier(({ azimuth }, number) => sent.push([azimuth, number]), serial);
    return { sent, courier };
  }

  it("one at a time, the newest next, and nothing once all is answered", () => {
    const { sent, courier } = sender(4);
    for (const k of [1, 2, 3]) courier.ask(orbit(k), 0);
    assert.deepEqual(sent, [[1, 5]]);
    courier.answered(5, 10);
    assert.deepEqual(sent, [
      [1, 5],
      [3, 6],
    ]);
    assert.ok(courier.behind);
    courier.answered(6, 20);
    assert.equal(sent.length, 2);
    assert.ok(!courier.behind);
  });

  it("an answer to an older request is none", () => {
    const { sent, courier } = sender();
    courier.ask(orbit(1), 0);
    courier.ask(orbit(2), 0);
    courier.answered(0, 5);
    assert.ok(courier.busy);
    assert.equal(sent.length, 1);
  });

  it("one that never comes is not waited for", () => {
    const { sent, courier } = sender();
    courier.ask(orbit(1), 0);
    courier.ask(orbit(2), 14_000);
    assert.equal(sent.length, 1);
    courier.ask(orbit(3), 16_000);
    assert.deepEqual(sent.at(-1), [3, 2]);
  });
});

describe("a film", () => {
  const always = () => true;

  it("keeps its rate however often the page draws", () => {
    for (const step of [1 / 240, 1 / 60, 1 / 7]) {
      const film = new Film(1000, 24);
      film.playing = true;
      for (let k = 1; k * step <= 2 + 1e-9; k++) film.advance(step, always);
      assert.ok(Math.abs(film.frame - 48) <= 1 + 24 * step, `${film.frame} after 2 s`);
    }
  });

  it("begins again after its last frame, and steps around both ends", () => {
    const film = new Film(3, 10);
    film.playing = true;
    film.advance(0.25, always);
    assert.equal(film.frame, 2);
    film.advance(0.1, always);
    assert.equal(film.frame, 0);
    film.step(-1);
    assert.equal(film.frame, 2);
    film.step(1);
    assert.equal(film.frame, 0);
  });

  it("waits for a frame that is not decoded, and does not leap afterwards", () => {
    const film = new Film(100, 10);
    film.playing = true;
    for (let k = 0; k < 20; k++) film.advance(0.1, (frame) => frame < 3);
    assert.equal(film.frame, 2);
    film.advance(0.1, always);
    assert.ok(film.frame <= 4, `frame ${film.frame}`);
  });

  it("stands still unless it plays, and a shorter one goes on from its last frame", () => {
    const film = new Film(50, 10);
    assert.equal(film.advance(5, always), false);
    film.seek(40);
    film.replace(20, 10);
    assert.equal(film.frame, 19);
    film.playing = true;
    film.replace(1, 10);
    assert.equal(film.playing, false);
    assert.equal(film.frame, 0);
  });
});

describe("hands", () => {
  const scroll = { deltaX: 0, deltaY: 0, deltaMode: 0, ctrlKey: false, shiftKey: false };

  it("a wheel turned on and back changes nothing, in all its units", () => {
    for (const deltaMode of [0, 1, 2]) {
      const on = scrolled({ ...scroll, deltaMode, deltaY: -3 });
      assert.ok(on > 1);
      near(on * scrolled({ ...scroll, deltaMode, deltaY: 3 }), 1);
    }
    near(
      scrolled({ ...scroll, deltaX: -50, shiftKey: true }),
      scrolled({ ...scroll, deltaY: -50 }),
    );
    assert.ok(scrolled({ ...scroll, deltaY: -9999 }) < 3);
  });

  it("two fingers", () => {
    const found = pinched(
      [
        { x: 0, y: 0 },
        { x: 10, y: 0 },
      ],
      [
        { x: 0, y: 4 },
        { x: 20, y: 4 },
      ],
    );
    assert.deepEqual(found, { at: { x: 10, y: 4 }, dx: 5, dy: 4, factor: 2 });
    const same = { x: 1, y: 1 };
    assert.equal(pinched([same, same], [same, { x: 2, y: 2 }]).factor, 1);
  });

  it("keys on the divider", () => {
    assert.equal(dividerAfter("ArrowRight", 50), 52);
    assert.equal(dividerAfter("PageDown", 5), 0);
    assert.equal(dividerAfter("End", 3), 100);
    assert.equal(dividerAfter("x", 50), null);
  });
});

describe("a colour bar's ticks", () => {
  const text = (/** @type {number} */ low, /** @type {number} */ high) =>
    ticks(low, high)
      .map((tick) => tick.text)
      .join(" ");

  it("are few round numbers inside", () => {
    assert.equal(text(0, 1), "0 0.2 0.4 0.6 0.8 1");
    assert.equal(text(0, 0.25), "0 0.05 0.1 0.15 0.2 0.25");
    assert.equal(text(-2, 2), "-2 -1 0 1 2");
    assert.equal(text(1.3, 7.9), "2 4 6");
    assert.equal(text(0, 50000), "0 10000 20000 30000 40000 50000");
    assert.equal(text(1000.5, 1000.9), "1000.5 1000.6 1000.7 1000.8 1000.9");
  });

  it("of every range are between 2 and 7, all different", () => {
    for (let k = 0; k < 400; k++) {
      const low = Math.sin(k) * 10 ** (k % 7);
      const high = low + 1.07 ** (k / 2);
      const found = ticks(low, high);
      assert.ok(found.length >= 2 && found.length <= 7, `${low} to ${high}: ${text(low, high)}`);
      assert.equal(new Set(text(low, high).split(" ")).size, found.length);
      const slack = 1e-9 * (high - low) + 1e-12 * Math.abs(low);
      assert.ok(found.every(({ value }) => value >= low - slack && value <= high + slack));
    }
    assert.equal(text(1, 1), "1");
  });
});
