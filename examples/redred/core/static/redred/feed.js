// The feed: posts, likes, comments, follows. Others learn of them through their bell.

import { get, post, remove } from "./api.js";
import { $, attempt, avatar, button, element, timeOf } from "./view.js";

let me;

export function startFeed(user) {
  me = user;
  $("post-form").onsubmit = (event) => {
    event.preventDefault();
    const form = event.target;
    attempt(async () => {
      await post("posts/", Object.fromEntries(new FormData(form)));
      form.reset();
      await showFeed();
    });
  };
}

// What others did to a post shows at once, unless it would take away what is being written.
document.addEventListener("news", ({ detail }) => {
  const isWriting = [...$("posts").querySelectorAll("input")].some((input) => input.value);
  const isOurs = ["like", "comment", "reply"].includes(detail);
  if (isOurs && !isWriting && !$("feed").hidden) attempt(showFeed);
});

export async function showFeed() {
  const { results } = await get("posts/");
  const cards = results.map(postCard);
  $("posts").replaceChildren(...(cards.length ? cards : [element("p", "empty", "No posts yet.")]));
}

// Does something and shows the feed as it is then.
const then = (action) => async () => {
  await action();
  await showFeed();
};

function postCard(item) {
  const card = element("article", "card post");
  card.dataset.id = item.id;
  const header = element("header");
  const who = element("span");
  who.append(element("strong", "", item.author_name), element("small", "soft", timeOf(item.created_at)));
  header.append(avatar(item.author_name), who);
  if (item.author_id !== me.user_id) {
    const path = `users/${item.author}/follow/`;
    header.append(item.is_followed
      ? button("Following", "plain follow", then(() => remove(path)))
      : button("Follow", "plain follow", then(() => post(path))));
  }
  const like = button(`♥ ${item.likes}`, `like${item.is_liked ? " liked" : ""}`,
    then(() => post(`posts/${item.id}/like/`)));
  like.setAttribute("aria-label", `Like, ${item.likes} so far`);
  const comments = element("ul", "replies");
  for (const comment of item.comments) comments.append(commentRow(item, comment));
  card.append(header, element("p", "text", item.text), like, comments, commentForm(item.id, null));
  return card;
}

function commentRow(item, comment) {
  const row = element("li", comment.parent ? "reply" : "");
  row.append(element("strong", "", comment.author), element("span", "", comment.text));
  row.append(button("Reply", "link", () => {
    const form = row.querySelector("form") ?? commentForm(item.id, comment.id);
    row.append(form);
    form.elements.text.focus();
  }));
  return row;
}

function commentForm(postId, parent) {
  const form = element("form", "composer");
  const input = element("input");
  Object.assign(input, { name: "text", placeholder: parent ? "Reply" : "Comment", required: true,
    maxLength: 10000, autocomplete: "off" });
  input.setAttribute("aria-label", input.placeholder);
  form.append(input, element("button", "plain", "Send"));
  form.onsubmit = (event) => {
    event.preventDefault();
    const body = { text: input.value, parent };
    attempt(then(() => post(`posts/${postId}/comments/`, body)));
  };
  return form;
}
