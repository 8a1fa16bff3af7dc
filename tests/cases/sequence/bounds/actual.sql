CREATE SEQUENCE public.forwards;
SELECT setval('public.forwards', 50);
CREATE SEQUENCE public.narrower MAXVALUE 1000;
CREATE SEQUENCE public.backwards;
