// How values are put into words.

// seconds is a duration.
export const seconds = (ms: number) => (ms < 1 ? "under 1 ms" : ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

// pretty is a value as a person reads it.
export const pretty = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? ""));

// brief is a value in a few characters.
export function brief(value: unknown, most = 60): string {
  const only = value && typeof value === "object" && !Array.isArray(value) ? Object.values(value) : [];
  const text = (only.length === 1 && typeof only[0] === "string" ? only[0] : typeof value === "string" ? value : (JSON.stringify(value) ?? ""))
    .replace(/\s+/g, " ");
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// plain is Markdown in one line, without its commonest marks.
export const plain = (text: string) => text.replace(/\*\*|__|~~|`+|^\s*(?:#{1,6}|>|[-*+])\s+/gm, "").replace(/\s+/g, " ");

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const clockWithSeconds = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });

export const atTime = (time: string) => clockWithSeconds.format(new Date(time));
export const atMoment = (time: string) => full.format(new Date(time));

// elapsed is the time between two moments.
export function elapsed(from: string, to: string): string {
  const s = Math.max(0, new Date(to).getTime() - new Date(from).getTime()) / 1000;
  if (s < 100) return `+${s.toFixed(1)} s`;
  return `+${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}

// age is a time as the list of chats shows it: of today the time of day, else the day.
export function age(time: string, now: number): string {
  return daysAgo(time, now) < 1 ? clock.format(new Date(time)) : day.format(new Date(time));
}

// era is the part of the list of chats that a time belongs to.
export function era(time: string, now: number): string {
  const days = daysAgo(time, now);
  return days < 1 ? "Today" : days < 2 ? "Yesterday" : days < 7 ? "This week" : "Earlier";
}

// daysAgo counts midnights since a time.
function daysAgo(time: string, now: number): number {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const then = new Date(time).getTime();
  return then >= midnight ? 0 : Math.ceil((midnight - then) / 86_400_000);
}
