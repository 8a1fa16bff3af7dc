CREATE DOMAIN public.amount AS numeric(10,2) CONSTRAINT positive CHECK (VALUE > 0);
CREATE DOMAIN public.plain AS text DEFAULT 'x' NOT NULL;
CREATE TABLE public.sums (amount public.amount, plain public.plain);
