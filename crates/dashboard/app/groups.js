// The service groups of the ring: who leads, and how far their elections are.

import { Failed, useDocument } from "./documents.js";
import { Fact, Mood, Note, Panel, html } from "./parts.js";
import { RING } from "./store.js";
import { plain } from "./text.js";

const PATH = "v1/ring/groups";
/** Groups that are shown. */
const SHOWN = 1000;

const BAD = ["leader_conflict", "no_quorum", "leader_not_alive"];

/** How a group is: one without an election needs no leader. */
function moodOf({ warnings, why_no_leader: why }) {
  if (why !== null || warnings.some((it) => BAD.includes(it.code))) return "failing";
  return warnings.length > 0 ? "warning" : "fine";
}

const WORDS = { failing: "Needs help", warning: "Look at it", fine: "Fine" };
const ORDER = { failing: 0, warning: 1, fine: 2 };

/** Members by name, as the group knows them. */
const nameIn = (group) => (id) => plain(group.members.find((it) => it.id === id)?.hostname ?? id, 100);

const Names = ({ ids, group }) => (ids.length === 0 ? html`<span class="dim">none</span>`
  : ids.map((id, at) => html`${at > 0 && ", "}<bdi title=${plain(id)}>${nameIn(group)(id)}</bdi>`));

const Election = ({ title, election, group }) => election && html`<${Fact} name=${title}>
  ${election.status.replaceAll("_", " ")}, term ${election.term}; <${Names} ids=${[election.candidate]} group=${group} /> with suitability ${election.suitability}
  <small>votes: <${Names} ids=${election.votes} group=${group} />${election.missing_votes.length > 0 && html`; missing: <${Names} ids=${election.missing_votes} group=${group} />`}</small><//>`;

function Group({ group }) {
  const { quorum } = group;
  const mood = moodOf(group);
  return html`<li class="group"><div class="bar"><${Mood} mood=${mood} word=${WORDS[mood]} /><h3><bdi>${plain(group.id, 200)}</bdi></h3></div>
    ${group.why_no_leader !== null && html`<p><bdi>${plain(group.why_no_leader)}</bdi></p>`}
    ${group.warnings.map((it) => html`<p key=${it.code}><span class="code">${it.code}</span> <bdi>${plain(it.message)}</bdi></p>`)}
    <dl class="facts">
      ${group.leader !== null && html`<${Fact} name="Leader"><${Names} ids=${[group.leader]} group=${group} /><//>`}
      <${Fact} name="Members">${group.members.map((it, at) => html`${at > 0 && ", "}<bdi title=${`${plain(it.id)}: ${plain(it.package)}`}>${plain(it.hostname, 100)}</bdi>${it.state !== "alive" && html` <b>(${it.state ?? "not known yet"})</b>`}`)}<//>
      ${group.election && html`<${Fact} name="Quorum">${quorum.alive} of ${quorum.electorate} alive, ${quorum.needed} needed; ${quorum.reached ? `${quorum.spare} may fail` : "not reached"}<//>`}
      <${Election} title="Election" election=${group.election} group=${group} />
      <${Election} title="Election for updates" election=${group.update_election} group=${group} />
    </dl></li>`;
}

export function Groups({ due }) {
  const { value, error } = useDocument(`${PATH}?limit=${SHOWN}`, { of: RING, due });
  if (!value) return error && html`<${Panel} title="Groups" source=${PATH}><${Failed} error=${error} /><//>`;
  const groups = value.items.toSorted((a, b) => ORDER[moodOf(a)] - ORDER[moodOf(b)] || (a.id < b.id ? -1 : 1));
  return html`<${Panel} title="Groups" source=${PATH}>
    ${groups.length === 0 ? html`<${Note}>There is no service in the ring.<//>` : html`<ul class="groups">${groups.map((group) => html`<${Group} key=${group.id} group=${group} />`)}</ul>`}
    ${value.next && html`<${Note}>The first ${SHOWN} are shown.<//>`}<//>`;
}
