CREATE TABLE visits (city varchar(20), country text);
CREATE STATISTICS places (mcv) ON city, country FROM visits;
COMMENT ON STATISTICS places IS 'comes back';
ALTER STATISTICS places SET STATISTICS 200;
