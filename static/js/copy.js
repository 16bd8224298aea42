// Buttons that copy the text of the element they name. Without scripts they stay hidden: the text can be marked by hand.
(() => {
  function mark(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  async function copy(element) {
    try {
      await navigator.clipboard.writeText(element.textContent.trim());
      return true;
    } catch {
      // Not allowed, or a page without TLS, which has no clipboard at all.
      mark(element);
      return document.execCommand("copy");
    }
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    const said = document.getElementById(button.dataset.said);
    button.hidden = false;
    button.addEventListener("click", async () => {
      // Emptied first: said again, it is read out again.
      said.textContent = "";
      const isCopied = await copy(document.getElementById(button.dataset.copy));
      said.textContent = isCopied ? button.dataset.copied : button.dataset.marked;
    });
  }
})();
