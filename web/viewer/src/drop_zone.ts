/** Files from the visitor: dragged onto the page, or chosen. */
import type { Files } from "./drop";
import { element, made } from "./dom";

/** Calls `opened` with what was dropped or chosen. */
export function attachDropZone(opened: (files: Promise<Files>) => void): void {
  const overlay = element("drop");
  let depth = 0; // of elements that the pointer has entered and not left
  const over = (event: DragEvent, change: number): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // else the browser opens the file in the page's place
    depth = Math.max(0, depth + change);
    overlay.hidden = depth === 0;
  };
  document.addEventListener("dragenter", (event) => over(event, 1));
  document.addEventListener("dragleave", (event) => over(event, -1));
  document.addEventListener("dragover", (event) => over(event, 0));
  document.addEventListener("drop", (event) => {
    over(event, -depth);
    if (event.dataTransfer?.types.includes("Files")) opened(dropped(event.dataTransfer));
  });
}

/** Let the visitor choose files, or a folder. */
export function chooseFiles(folder: boolean, opened: (files: Promise<Files>) => void): void {
  const input = made("input", "", { type: "file", multiple: true, webkitdirectory: folder });
  input.addEventListener("change", () => opened(Promise.resolve(chosen(input.files ?? []))));
  input.click();
}

/** A chosen folder's files know their path in it. */
const chosen = (files: Iterable<File>): Files =>
  new Map(Array.from(files, (file) => [file.webkitRelativePath || file.name, file]));

/** Folders too, where the browser lets one look into them; asked before the event is over. */
async function dropped(transfer: DataTransfer): Promise<Files> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.() ?? null);
  if (entries.every((entry) => entry === null)) return chosen(transfer.files);
  const files = await Promise.all(entries.map((entry) => (entry === null ? [] : filesIn(entry))));
  return new Map(files.flat());
}

async function filesIn(entry: FileSystemEntry): Promise<(readonly [string, File])[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((yes, no) => (entry as FileSystemFileEntry).file(yes, no));
    return [[entry.fullPath.replace(/^\//, ""), file]];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: (readonly [string, File])[] = [];
  for (;;) {
    // A hundred at a time, until there are no more.
    const some = await new Promise<FileSystemEntry[]>((yes, no) => reader.readEntries(yes, no));
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(filesIn))).flat());
  }
}
