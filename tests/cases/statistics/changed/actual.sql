CREATE TABLE visits (city text, country text, at date);
CREATE STATISTICS places ON city, country FROM visits;
COMMENT ON STATISTICS places IS 'cities tell countries';
CREATE STATISTICS kinds_change (ndistinct) ON city, at FROM visits;
COMMENT ON STATISTICS kinds_change IS 'kept';
CREATE STATISTICS gone ON country, at FROM visits;
