// Runs before the page is drawn, so that it never shows in the wrong colours: says that there are scripts, and takes
// the colour scheme that was chosen here before. Where none was, the system's is used.
{
  const root = document.documentElement;
  root.classList.add("js");
  const stored = (change) => {
    try {
      return change(localStorage);
    } catch {
      return null; // storage is forbidden: the choice lasts as long as the page
    }
  };
  const chosen = stored((storage) => storage.getItem("qac-theme"));
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      stored((storage) => storage.setItem("qac-theme", root.dataset.theme));
      show();
    });
    system.addEventListener("change", show);
    show();
  });
}
