CREATE TABLE public.events (id int NOT NULL, at date NOT NULL, region int NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE public.events_2025 PARTITION OF public.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.events_2026 PARTITION OF public.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (region);
CREATE TABLE public.events_2026_1 PARTITION OF public.events_2026 FOR VALUES IN (1);
CREATE TABLE public.events_2026_other PARTITION OF public.events_2026 DEFAULT;
CREATE INDEX events_by_region ON public.events (region);
INSERT INTO public.events SELECT n, date '2025-01-01' + n, n % 3 FROM generate_series(1, 600) AS n;
