CREATE TABLE public.talks (id int PRIMARY KEY, began timestamptz, about jsonb, words json, kept text DEFAULT 'old');
INSERT INTO public.talks SELECT n, '2025-01-01 00:30+00', jsonb_build_object('state', 's' || n % 3), '{}' FROM generate_series(1, 1000) AS n;
INSERT INTO public.talks VALUES (0, '2025-01-01 00:30+00', '{}', '{"a": 1}', 'old');
