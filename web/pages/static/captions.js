// The length of a caption as the server counts it, by the patterns that it gave to the page.

export function captionCounter({ links, emoji, double, link_length: linkLength }) {
  const find = { links: new RegExp(links, "giu"), emoji: new RegExp(emoji, "gu"), double: new RegExp(double, "gu") };
  const weigh = (text) => {
    let whole = 0;
    const without = (pattern, weight) => (rest) => rest.replace(pattern, () => ((whole += weight), ""));
    const rest = without(find.emoji, 2)(without(find.links, linkLength)(text));
    return whole + [...rest].length + (rest.match(find.double)?.length ?? 0);
  };
  return (text, channel) => (channel.weighted ? weigh(text) : text.length);
}

/** What the caption is on each of these channels, a network once: [{words, isOver}]. */
export function countCaption(count, channels, textFor) {
  const found = new Map();
  for (const channel of channels) {
    const most = channel.limits.characters;
    const length = count(textFor(channel), channel);
    const limit = most ? ` / ${most}` : "";
    const words = `${channel.identifier} ${length}${limit}`;
    found.set(words, { words, isOver: Boolean(most) && length > most });
  }
  return [...found.values()];
}
