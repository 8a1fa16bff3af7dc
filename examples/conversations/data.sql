-- Rows for before.sql: the same rows every time, on every server.
--
--     conversations.scale   1 is the real size: 2,132 conversations and 5,998 messages of 10 organizations; any other
--                           number multiplies the conversations and the messages
--     conversations.seed    another number makes other rows (default 1)
--
--     PGOPTIONS='-c conversations.scale=100' psql "$URL" -f before.sql -f data.sql
--
-- Every "luck" below is a number in [0, 1) hashed from the row's own number, never random(): neither the plan nor the
-- version of the server can change it. Ids are md5 sums of what they stand for, so that no join is needed to find one.

CREATE TEMPORARY TABLE generator AS
SELECT
  wish.seed,
  round(2132 * wish.scale)::bigint AS conversations,
  round(5998 * wish.scale)::bigint AS messages
FROM (
  SELECT
    coalesce(
      nullif(current_setting('conversations.scale', true), ''),
      nullif(current_setting('reconcile.scale', true), ''), -- of `reconcile bench --scale`
      '1'
    )::numeric AS scale,
    coalesce(nullif(current_setting('conversations.seed', true), '')::bigint, 1) AS seed
) AS wish;

-- Ten organizations with two to five domains each.

INSERT INTO public.organizations (id, name, slug, created_at)
SELECT
  md5(format('organization %s %s', g.seed, o.number))::uuid,
  o.name,
  lower(replace(o.name, ' ', '-')),
  timestamptz '2024-11-04 09:00+00' + o.number * interval '74 hours'
FROM generator AS g
CROSS JOIN unnest(ARRAY[
  'Alder Travel', 'Birch Telecom', 'Cedar Bank', 'Dune Outdoor', 'Elm Health',
  'Fjord Energy', 'Grove Foods', 'Harbor Homes', 'Islet Games', 'Juniper Books'
]) WITH ORDINALITY AS o (name, number);

INSERT INTO public.domains (id, domain, organization_id, created_at)
SELECT
  md5(format('domain %s %s %s', g.seed, o.number, d.number))::uuid,
  format('%s.%s.example', (ARRAY['www', 'help', 'shop', 'app', 'docs'])[d.number], o.slug),
  o.id,
  o.created_at + d.number * interval '26 hours'
FROM generator AS g
CROSS JOIN (SELECT id, slug, created_at, row_number() OVER (ORDER BY name) AS number FROM public.organizations) AS o
CROSS JOIN LATERAL generate_series(1, 2 + (o.number * 7 % 4)::int) AS d (number);

-- 240 people, 250 memberships: ten people belong to two organizations.

INSERT INTO auth.users (id, email, created_at)
SELECT
  md5(format('user %s %s', g.seed, u.number))::uuid,
  format('user%s@mail.example', u.number),
  timestamptz '2024-12-02 08:00+00' + u.number * interval '11 hours 7 minutes'
FROM generator AS g
CROSS JOIN generate_series(1, 240) AS u (number);

INSERT INTO public.organization_members (organization_id, user_id, role, created_at)
SELECT
  md5(format('organization %s %s', g.seed, 1 + (place.number + second.membership) % 10))::uuid,
  md5(format('user %s %s', g.seed, u.number))::uuid,
  CASE
    WHEN second.membership = 0 AND u.number <= 10 THEN 'owner'
    WHEN second.membership = 0 AND u.number <= 30 THEN 'admin'
    ELSE 'member'
  END,
  timestamptz '2024-12-02 08:05+00' + u.number * interval '11 hours 7 minutes'
FROM generator AS g
CROSS JOIN generate_series(1, 240) AS u (number)
CROSS JOIN LATERAL (
  SELECT (hashint8extended(u.number, g.seed * 100 + 1) & 2147483647) / float8 '2147483648' AS organization
) AS luck
CROSS JOIN LATERAL (
  SELECT CASE WHEN u.number <= 10 THEN u.number - 1 ELSE floor(10 * luck.organization ^ 1.6)::int END AS number
) AS place
CROSS JOIN LATERAL generate_series(0, CASE WHEN u.number % 24 = 0 THEN 1 ELSE 0 END) AS second (membership);

-- Conversations: more of them from month to month, in working hours; three organizations hold two thirds of them. The
-- fourth has 213 at scale 1. Those from before May 2025 were written without organization_id.

INSERT INTO public.conversations (
  id, domain_id, session_id, started_at, ended_at, metadata, created_at, organization_id
)
SELECT
  md5(format('conversation %s %s', g.seed, n.number))::uuid,
  md5(format('domain %s %s %s', g.seed, owner.number, owner.domain))::uuid,
  'session-' || left(md5(format('session %s %s', g.seed, n.number)), 20),
  moment.started_at,
  CASE WHEN state.status IN ('resolved', 'closed') THEN moment.started_at + moment.duration END,
  jsonb_strip_nulls(jsonb_build_object(
    'status', state.status,
    'language', (ARRAY['en', 'en', 'en', 'en', 'en', 'pt-BR', 'pt-BR', 'es', 'es', 'de', 'fr', 'zh-Hant'])[
      1 + floor(16 * luck.language)::int
    ],
    'channel', CASE WHEN luck.domain < 0.8 THEN 'web' ELSE 'mobile' END
  )),
  moment.started_at,
  CASE
    WHEN moment.started_at >= '2025-05-01 00:00+00' THEN md5(format('organization %s %s', g.seed, owner.number))::uuid
  END
FROM generator AS g
CROSS JOIN LATERAL (
  SELECT number, row_number() OVER (ORDER BY hashint8extended(number, g.seed * 100 + 10)) - 0.5 AS shuffled
  FROM generate_series(0, g.conversations - 1) AS series (number)
) AS n
CROSS JOIN LATERAL (
  SELECT
    (hashint8extended(n.number, g.seed * 100 + 11) & 2147483647) / float8 '2147483648' AS domain,
    (hashint8extended(n.number, g.seed * 100 + 12) & 2147483647) / float8 '2147483648' AS hour,
    (hashint8extended(n.number, g.seed * 100 + 13) & 2147483647) / float8 '2147483648' AS minute,
    (hashint8extended(n.number, g.seed * 100 + 14) & 2147483647) / float8 '2147483648' AS duration,
    (hashint8extended(n.number, g.seed * 100 + 15) & 2147483647) / float8 '2147483648' AS status,
    (hashint8extended(n.number, g.seed * 100 + 16) & 2147483647) / float8 '2147483648' AS language
) AS luck
CROSS JOIN LATERAL (
  SELECT 1 + width_bucket(
    (n.shuffled / g.conversations)::float8,
    ARRAY[0.31, 0.51, 0.65, 0.75, 0.83, 0.89, 0.94, 0.97, 0.99]::float8[]
  ) AS number
) AS organization
CROSS JOIN LATERAL (
  SELECT organization.number, 1 + floor((2 + organization.number * 7 % 4) * luck.domain ^ 1.5)::int AS domain
) AS owner
CROSS JOIN LATERAL (
  SELECT
    timestamptz '2025-01-01 00:00+00'
      + floor(300 * ((n.number + 0.5) / g.conversations)::float8 ^ 0.7) * interval '24 hours'
      + (6 + 7 * luck.hour + 7 * luck.minute) * interval '1 hour' AS started_at,
    (30 + 5400 * luck.duration ^ 4) * interval '1 second' AS duration
) AS moment
CROSS JOIN LATERAL (
  SELECT (ARRAY['resolved', 'closed', 'active', 'waiting', NULL])[
    1 + width_bucket(luck.status, ARRAY[0.38, 0.72, 0.86, 0.91]::float8[])
  ] AS status
) AS state
ORDER BY moment.started_at, n.number;

-- Messages: most conversations have a few, some have dozens, a few have none. They take turns within their
-- conversation's time. Those from before June 2025 were written without organization_id.

INSERT INTO public.messages (id, conversation_id, role, content, metadata, created_at, organization_id)
SELECT
  turn.id,
  turn.conversation_id,
  turn.role,
  CASE turn.role
    WHEN 'user' THEN (ARRAY[
      'Hello, is anybody there?',
      'My order has not arrived yet, and the page says that it was delivered on Tuesday.',
      'Can I change the address of a booking that I have already paid for?',
      'The code you sent me does not work.',
      'Thank you, that was quick!',
      'How long does a refund take? I was told five days, and that was two weeks ago.'
    ])[1 + floor(6 * turn.luck_content)::int]
    ELSE (ARRAY[
      'Hello! How can I help you today?',
      'Thank you for your patience. I have passed this on to a colleague, who will write to you before tomorrow noon.',
      'Yes, you can: open the booking, choose "Change", and confirm with the code from the e-mail.',
      'I am sorry to hear that. Could you tell me the number on the last line of the letter?',
      'A refund takes up to ten working days. Yours was sent this morning.',
      'Is there anything else that I can do for you?'
    ])[1 + floor(6 * turn.luck_content)::int]
  END,
  jsonb_strip_nulls(jsonb_build_object(
    'sentiment', CASE WHEN turn.role = 'user' THEN
      (ARRAY['neutral', 'neutral', 'neutral', 'positive', 'positive', 'negative'])[
        1 + floor(9 * turn.luck_metadata)::int
      ]
    END,
    'response_time_ms', CASE WHEN turn.role = 'assistant' AND turn.luck_content < 0.9 THEN
      180 + floor(900 * turn.luck_metadata + 6000 * turn.luck_metadata ^ 4)::int
    END
  )),
  turn.created_at,
  CASE WHEN turn.created_at >= '2025-06-01 00:00+00' THEN turn.organization_id END
FROM (
  SELECT
    draw.id,
    c.id AS conversation_id,
    d.organization_id,
    draw.luck_content,
    draw.luck_metadata,
    CASE WHEN row_number() OVER spoken % 2 = 1 THEN 'user' ELSE 'assistant' END AS role,
    c.started_at
      + (row_number() OVER spoken - draw.luck_pause) / count(*) OVER (PARTITION BY c.id)
      * coalesce(c.ended_at - c.started_at, interval '9 minutes') AS created_at
  FROM (
    SELECT
      n.number,
      md5(format('message %s %s', g.seed, n.number))::uuid AS id,
      md5(format(
        'conversation %s %s', g.seed,
        (floor(g.conversations * luck.conversation ^ 1.5)::bigint * 104729 + 13) % g.conversations
      ))::uuid AS conversation_id,
      luck.pause AS luck_pause,
      luck.content AS luck_content,
      luck.metadata AS luck_metadata
    FROM generator AS g
    CROSS JOIN LATERAL generate_series(0, g.messages - 1) AS n (number)
    CROSS JOIN LATERAL (
      SELECT
        (hashint8extended(n.number, g.seed * 100 + 21) & 2147483647) / float8 '2147483648' AS conversation,
        (hashint8extended(n.number, g.seed * 100 + 22) & 2147483647) / float8 '2147483648' AS pause,
        (hashint8extended(n.number, g.seed * 100 + 23) & 2147483647) / float8 '2147483648' AS content,
        (hashint8extended(n.number, g.seed * 100 + 24) & 2147483647) / float8 '2147483648' AS metadata
    ) AS luck
  ) AS draw
  JOIN public.conversations AS c ON c.id = draw.conversation_id
  JOIN public.domains AS d ON d.id = c.domain_id
  WINDOW spoken AS (PARTITION BY c.id ORDER BY draw.number)
) AS turn
ORDER BY turn.created_at, turn.id;

DROP TABLE generator;

ANALYZE auth.users;
ANALYZE public.organizations;
ANALYZE public.organization_members;
ANALYZE public.domains;
ANALYZE public.conversations;
ANALYZE public.messages;
