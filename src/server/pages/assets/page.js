// The page on which one gets a token: shows it in place, copies, saves, and counts down. It is kept in this page's memory only.
'use strict';
(() => {
  const ask = document.getElementById('ask');
  const got = document.getElementById('got');
  const wrong = document.getElementById('wrong');
  if (!ask || !got || !wrong) return;
  document.documentElement.classList.add('script');
  const say = got.dataset;
  let keys = null;
  let ticking = 0;

  const field = (name) => got.querySelector(`[data-field="${name}"]`);
  const masked = '••••••••••••••••';

  function put() {
    for (const code of got.querySelectorAll('[data-field]')) {
      const value = keys ? keys[code.dataset.field] : '';
      code.textContent = keys && 'secret' in code.dataset && !('seen' in code.dataset) ? masked : value;
    }
    for (const button of got.querySelectorAll('[data-show]')) {
      button.textContent = 'seen' in field(button.dataset.show).dataset ? say.hide : say.reveal;
    }
  }

  function tick() {
    const left = Math.floor((Date.parse(keys.expires) - Date.now()) / 1000);
    const clock = document.getElementById('clock');
    if (left <= 0) {
      clock.textContent = say.ended;
      forget();
      return;
    }
    const two = (n) => String(n).padStart(2, '0');
    clock.textContent = `${Math.floor(left / 3600)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
  }

  function forget() {
    clearInterval(ticking);
    keys = null;
    put();
  }

  function fail(text, again) {
    wrong.querySelector('p').textContent = text;
    wrong.querySelector('a').hidden = !again;
    wrong.hidden = false;
  }

  async function copy(text, button) {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = say.copied;
    } catch {
      button.textContent = say.failed;
    }
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  function save(file) {
    const address = URL.createObjectURL(new Blob([file.text], { type: file.media_type }));
    const link = document.createElement('a');
    link.href = address;
    link.download = file.file_name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  ask.addEventListener('submit', async (event) => {
    event.preventDefault();
    wrong.hidden = true;
    const button = ask.querySelector('button');
    button.disabled = true;
    const given = new FormData(ask);
    const body = { duration: Number(given.get('duration')), all: true };
    if (given.get('reason')) body.reason = given.get('reason');
    try {
      const answer = await fetch(ask.action, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', 'x-csrf-token': given.get('csrf') },
        body: JSON.stringify(body),
        cache: 'no-store',
      });
      const said = await answer.json();
      if (!answer.ok) {
        fail(said.detail || said.title || say.failed, answer.status === 401);
        return;
      }
      keys = said;
      ask.hidden = true;
      got.hidden = false;
      for (const code of got.querySelectorAll('[data-seen]')) delete code.dataset.seen;
      put();
      tick();
      ticking = setInterval(tick, 1000);
    } catch {
      fail(say.failed, false);
    } finally {
      button.disabled = false;
    }
  });

  got.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    if (button.id === 'another') {
      forget();
      got.hidden = true;
      ask.hidden = false;
      return;
    }
    if (!keys) return;
    const { show, copy: name, copyFormat, download } = button.dataset;
    if (show) {
      const code = field(show);
      if ('seen' in code.dataset) delete code.dataset.seen; else code.dataset.seen = '';
      put();
    } else if (name) {
      copy(keys[name], button);
    } else if (copyFormat) {
      copy(keys.formats[copyFormat].text, button);
    } else if (download) {
      save(keys.formats[download]);
    }
  });

  // A page that is left and come back to shows nothing any more.
  addEventListener('pagehide', () => { if (keys) { forget(); got.hidden = true; ask.hidden = false; } });
})();
