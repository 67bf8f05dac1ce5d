// Goes on by itself where scripts run; where they do not, there is a button.
'use strict';
const go = document.querySelector('[data-go]');
if (go instanceof HTMLFormElement) {
  go.submit();
} else if (go) {
  location.replace(go.href);
}
