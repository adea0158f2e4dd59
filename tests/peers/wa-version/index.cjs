// The page that the engine opens instead of WhatsApp's. It answers what the engine asks of it: whether it is linked to a
// phone (`isRegistered`), and whether the chats are open (`isMainReady`). `Store` and `WAPI` say that the engine's own
// scripts are in it already, for those work in WhatsApp's page alone.

const scenes = {
  "signed-in": { registered: true, open: true },
  "phone-away": { registered: true, open: false },
  "code-shown": { registered: false, open: false },
  "never-scanned": { registered: false, open: false },
};

function page(scene) {
  window.scene = scene;
  window.Store = {};
  window.WAPI = { getWAVersion: () => "stand-in" };
  window.WPP = {
    isReady: true,
    version: "stand-in",
    whatsapp: {},
    on() {},
    conn: { isRegistered: () => scene.registered, isMainReady: () => scene.open },
  };
  window.scan = () => {
    scene.registered = scene.open = true;
    window.checkInChat(); // of the engine, which wants to be told so
  };
}

/** The page for a scene, which the engine takes for a version of WhatsApp's page. */
exports.getPageContent = (name) =>
  `<!doctype html><title>stand-in</title><script>(${page})(${JSON.stringify(scenes[name])})</script>`;
