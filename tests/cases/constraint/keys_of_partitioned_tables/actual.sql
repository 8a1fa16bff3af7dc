CREATE TABLE public.events (id int, at date NOT NULL, place int) PARTITION BY RANGE (at);
CREATE TABLE public.events_2025 PARTITION OF public.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.events_rest PARTITION OF public.events DEFAULT;
CREATE TABLE public.places (id int PRIMARY KEY);
INSERT INTO public.places SELECT generate_series(0, 2);
INSERT INTO public.events SELECT n, date '2025-01-01' + n, n % 3 FROM generate_series(1, 600) AS n;
