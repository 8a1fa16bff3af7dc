CREATE TABLE public.events (id int NOT NULL, at date NOT NULL, region int NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE public.events_2025 PARTITION OF public.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.events_2026 PARTITION OF public.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE public.events ADD CONSTRAINT events_key PRIMARY KEY (id, at);
CREATE INDEX by_region ON public.events (region);
ALTER INDEX public.events_2025_region_idx RENAME TO older_regions;
ALTER INDEX public.events_2026_region_idx RENAME TO newer_regions;
INSERT INTO public.events SELECT n, date '2025-01-01' + n, n % 3 FROM generate_series(1, 600) AS n;
