"""Read the entries of a kind's section: names, fields, `state`, `exclusive` and child sections."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from reconciler.declare.annotations import main_key_of
from reconciler.declare.drafts import Draft, Drafts
from reconciler.declare.fields import (
    FieldValue,
    Reading,
    convert,
    fields_of,
    files_of,
    read_fields,
)
from reconciler.declare.layout import Sections, kind_title, main_value_of, short_forms
from reconciler.declare.nodes import (
    MAX_NAME_SHOWN,
    Entries,
    Entry,
    Items,
    Node,
    Scalar,
    described,
    mapping_entries,
    plain,
    shortened,
    unknown,
)
from reconciler.declare.variables import MARK
from reconciler.errors import Position, Problem
from reconciler.model.declared import DeclaresPart
from reconciler.model.names import MAX_NAME_BYTES, quoted, split_qualified, unquoted
from reconciler.model.object import Object
from reconciler.model.owned import Grantable
from reconciler.model.ref import Ref
from reconciler.model.spelling import RawName, SqlName, folded


@dataclass(frozen=True)
class Defaults:
    """A document's default schema and default owner."""

    schema: str
    owner: str | None


@dataclass(frozen=True)
class _Content:
    """An entry's name, the declared fields, and the fields derived from the key."""

    name: str
    fields: dict[str, FieldValue]
    derived: dict[str, Any] = field(default_factory=dict[str, Any])


class EntryReader:
    """Read entries of a document into drafts; `sections` are those under entries, by kind."""

    def __init__(
        self,
        sections: Mapping[str, Sections],
        drafts: Drafts,
        defaults: Defaults,
        reading: Reading,
    ) -> None:
        self.sections, self.drafts, self.defaults = sections, drafts, defaults
        self.others: dict[str, Collection[str]] = {}  # by kind: keys beside the fields
        self.reading, self.problems = reading, reading.problems

    def read(self, kind: type[Object], section: Entry, parent: Ref | None = None) -> None:
        """Read all entries of a section, and the sections under each entry."""
        hint = f"each {kind_title(kind)} is a key with its name"
        for entry in mapping_entries(section.node, section.key, hint, self.problems):
            self._read_entry(kind, entry, parent)

    def _read_entry(self, kind: type[Object], entry: Entry, parent: Ref | None) -> None:
        if MARK in entry.key:
            at = Scalar(entry.position, entry.key, entry.key)
            is_alone = parent is not None or kind.schemaless
            spelling = RawName() if is_alone else SqlName()
            name = self.reading.variables.in_name(entry.key, at, kind_title(kind), spelling)
            entry = Entry(name, entry.position, entry.node)
        body = entry.node if isinstance(entry.node, Entries) else Entries(entry.node.position)
        problems_before = len(self.problems)
        other_keys = self.others.get(kind.kind)
        if other_keys is None:
            other_keys = self.others[kind.kind] = self._other_keys(kind)
        fields = read_fields(body, kind, kind_title(kind), self.reading, other_keys)
        content = self._content(kind, entry, fields)
        ref = self._ref(kind, entry.position, content, parent)
        self._record_positions(ref, entry, body, content)
        absent = self._is_absent(body, kind.keys_when_absent)
        draft = Draft(
            kind,
            entry.position,
            self.defaults.schema,
            self.defaults.owner,
            absent,
            _kept_fields(content.fields, kind.keys_when_absent) if absent else content.fields,
            content.derived,
            readable=len(self.problems) == problems_before,
        )
        if not absent and self._is_part_of_another(ref, draft):
            return
        self.drafts.add(ref, draft)
        if not absent:
            self._read_children(ref, kind, body)

    def _is_part_of_another(self, ref: Ref, draft: Draft) -> bool:
        """Add an entry for a field of another object to the object."""
        if not issubclass(draft.kind, DeclaresPart):
            return False
        try:
            part = draft.kind.declared_part(ref, {k: f.value for k, f in draft.fields.items()})
        except ValueError as e:
            self.problems.append(Problem(f"{ref}: {e}", draft.position, rule="invalid-value"))
            return True
        if part is None:
            return False
        owner, key, value = part
        node = next(iter(draft.fields.values())).node
        kind = self.drafts.kinds[owner.kind]
        fields = {key: FieldValue(value, draft.position, node)}
        self.drafts.parts.append((owner, replace(draft, kind=kind, fields=fields)))
        return True

    def _read_children(self, ref: Ref, kind: type[Object], body: Entries) -> None:
        sections = self.sections[ref.kind]
        if "exclusive" in body.entries:
            accepted = {s: k.kind for s, k in sections.items()} | _lists_of(kind)
            kinds = self._exclusive_kinds(body.entries["exclusive"].node, accepted)
            self.drafts.add_exclusive(ref, kinds)
        for key, child in body.entries.items():
            if key in sections:
                self.read(sections[key], child, ref)

    def _other_keys(self, kind: type[Object]) -> list[str]:
        """List the keys of an entry beside the fields of the model."""
        sections = self.sections[kind.kind]
        return ["state", *sections, *(["exclusive"] if sections or _lists_of(kind) else [])]

    def _record_positions(self, ref: Ref, entry: Entry, body: Entries, content: _Content) -> None:
        positions = {"": entry.position}
        for key, child in body.entries.items():
            positions.setdefault(key, child.position)
        grants = body.entries["grants"].node if "grants" in body.entries else None
        if isinstance(grants, Entries):
            for role, granted in grants.entries.items():
                positions.setdefault(f"grants.{role}", granted.position)
        elif grants is not None and plain(grants) is None:
            hint = "grants: {} lists no role; leave the key out to keep all privileges"
            message = "grants: expected roles with their privileges, got nothing"
            self.problems.append(Problem(message, grants.position, hint, "wrong-type"))
        for key, value in content.fields.items():
            positions.setdefault(key, value.position)
        self.drafts.positions.add(ref, positions)

    # -- fields ------------------------------------------------------------------------------------

    def _content(self, kind: type[Object], entry: Entry, fields: dict[str, FieldValue]) -> _Content:
        """Let the kind read the entry's key and the body or short form."""
        node = entry.node
        nothing = isinstance(node, Scalar) and node.value is None
        empty = nothing and not kind.parent_kinds  # `extensions: {hstore: }`
        is_mapping = isinstance(node, Entries) or empty
        alone = None if is_mapping else self._standing_alone(kind, node)
        fields = fields if alone is None else alone
        is_mapping = is_mapping or alone is not None
        body = {k: f.value for k, f in fields.items()} if is_mapping else plain(node)
        name, values = self._entry(kind, entry, body)
        if not isinstance(values, dict):
            return self._misread(kind, entry, _Content(name, fields))
        if not is_mapping:
            return self._misread(kind, entry, _Content(name, fields))
        if values is body:
            return _Content(name, fields)
        return self._changed(kind, node, _Content(name, fields), cast("dict[str, Any]", values))

    def _changed(
        self, kind: type[Object], node: Node, read: _Content, values: Mapping[str, object]
    ) -> _Content:
        """Return content with the values that the kind has made of the fields as read."""
        content, fields = _Content(read.name, {}), read.fields
        known = fields_of(kind)
        for key, value in values.items():
            if key not in known:
                content.derived[key] = value
            elif key in fields:
                same = value is fields[key].value
                content.fields[key] = fields[key] if same else replace(fields[key], value=value)
            else:
                content.fields[key] = FieldValue(value, node.position, node)
        return content

    def _standing_alone(self, kind: type[Object], node: Node) -> dict[str, FieldValue] | None:
        """Read a value without a key as that of the kind's main key; None without one."""
        takes = main_value_of(kind)
        if takes is None:
            return None
        is_text = isinstance(node, Scalar) and isinstance(node.value, str)
        if not (is_text or (isinstance(node, Items) and takes.listed)):
            return None
        key = main_key_of(kind)
        value = convert(node, takes, key, self.reading)
        return {key: FieldValue(value, node.position, node)}

    def _entry(self, kind: type[Object], entry: Entry, body: object) -> tuple[str, object]:
        try:
            return kind.entry(entry.key, body)
        except ValueError as e:
            self.problems.append(Problem(str(e), entry.position, rule="invalid-name"))
            return entry.key, body

    def _misread(self, kind: type[Object], entry: Entry, content: _Content) -> _Content:
        """Report a value other than a mapping or a short form of the kind."""
        forms = [*(f"{form} ({key})" for form, key in short_forms(kind).items()), "a mapping"]
        title = f"{kind_title(kind)} '{shortened(entry.key, MAX_NAME_SHOWN)}'"
        message = f"{title}: expected {' or '.join(forms)}, got {described(entry.node)}"
        accepted = sorted([*fields_of(kind), *files_of(kind), *self._other_keys(kind)])
        hint = f"accepted: {', '.join(accepted)}"
        self.problems.append(Problem(message, entry.node.position, hint, "wrong-type"))
        return content

    # -- names -------------------------------------------------------------------------------------

    def _ref(
        self, kind: type[Object], position: Position, content: _Content, parent: Ref | None
    ) -> Ref:
        if parent is not None or kind.schemaless:
            ref = self._unqualified_ref(kind, position, content.name, parent)
        else:
            ref = self._qualified_ref(kind, position, content.name)
        if len(ref.name.encode()) > MAX_NAME_BYTES:
            message = (
                f"'{shortened(ref.name, MAX_NAME_SHOWN)}' is longer than {MAX_NAME_BYTES} bytes, "
                "and PostgreSQL would cut it short"
            )
            self.problems.append(Problem(message, position, rule="name-too-long"))
        if "arguments" in content.derived:
            return ref._replace(arguments=str(content.derived["arguments"]))
        return ref

    def _unqualified_ref(
        self, kind: type[Object], position: Position, name: str, parent: Ref | None
    ) -> Ref:
        if not name:
            message = f"expected the name of a {kind_title(kind)}, got nothing"
            self.problems.append(Problem(message, position, rule="invalid-name"))
        return Ref(kind.kind, parent.schema if parent else "", unquoted(name), parent)

    def _qualified_ref(self, kind: type[Object], position: Position, name: str) -> Ref:
        parts = split_qualified(name)
        if parts is None:
            name = shortened(name, MAX_NAME_SHOWN)
            message = f"expected name or schema.name, got '{name}'"
            hint = f"a name that holds a dot or a quote: '{quoted(name)}'"
            self.problems.append(Problem(message, position, hint, "invalid-name"))
            return Ref(kind.kind, self.defaults.schema, name)
        schema, own_name = parts
        return Ref(kind.kind, schema or self.defaults.schema, own_name)

    # -- state and exclusive -----------------------------------------------------------------------

    def _is_absent(self, body: Entries, accepted: Collection[str]) -> bool:
        """Read `state: absent`, and report keys besides those that are accepted."""
        entry = body.entries.get("state")
        if entry is None:
            return False
        written = plain(entry.node)
        state = folded(written) if isinstance(written, str) else written
        if state not in ("present", "absent"):
            message = f"state: expected 'present' or 'absent', got {described(entry.node)}"
            self.problems.append(Problem(message, entry.node.position, rule="invalid-value"))
        if state != "absent":
            return False
        hint = "what is to be dropped is only named: remove one of the two"
        for key, other in body.entries.items():
            if key != "state" and key not in accepted:
                message = f"{key} together with state: absent"
                self.problems.append(Problem(message, other.position, hint, "contradiction"))
        return True

    def _exclusive_kinds(self, node: Node, sections: Mapping[str, str]) -> frozenset[str]:
        """Read the names of sections as kinds, and `grants` as itself."""
        kinds: set[str] = set()
        for item in node.items if isinstance(node, Items) else [node]:
            written = plain(item)
            section = written.lower() if isinstance(written, str) else written
            if not isinstance(section, str):
                message = f"exclusive: expected a section, got {described(item)}"
                hint = f"accepted: {', '.join(sorted(sections))}"
                self.problems.append(Problem(message, item.position, hint, "wrong-type"))
            elif section not in sections:
                problem = unknown("exclusive: unknown section", section, item.position, sections)
                self.problems.append(problem)
            else:
                kinds.add(sections[section])
        return frozenset(kinds)


def _kept_fields(fields: Mapping[str, FieldValue], keys: Collection[str]) -> dict[str, FieldValue]:
    return {k: f for k, f in fields.items() if k in keys}


def _lists_of(kind: type[Object]) -> dict[str, str]:
    """Return the fields that `exclusive` makes complete, beside the sections: `grants`."""
    return {"grants": "grants"} if issubclass(kind, Grantable) else {}
