// The frame is painted before any of the rest is read.
const go = () => import('./console.js');
document.hidden ? go() : requestAnimationFrame(() => setTimeout(go));
